use super::*;

const LIMITS: BatchLimits = BatchLimits {
    lines: 3,
    bytes: 20,
};

pub(super) fn open(lines: &[&str]) -> OpenBatch {
    let mut batch = OpenBatch::default();
    for line in lines {
        batch.push(line.as_bytes());
    }
    batch
}

fn texts(lines: &Lines) -> Vec<&str> {
    lines
        .iter()
        .map(|line| str::from_utf8(line).unwrap())
        .collect()
}

#[test]
fn a_line_is_found_by_its_offsets_also_when_it_holds_a_newline() {
    let batch = open(&["a\n", "b \"x\ny\"\n", "c\n"]).seal(true);
    assert_eq!(texts(&batch.lines), ["a\n", "b \"x\ny\"\n", "c\n"]);
    assert_eq!(batch.lines.body(), "a\nb \"x\ny\"\nc\n");
    assert_eq!(batch.lines.byte_len(), 12);
}

#[test]
fn a_slice_of_a_slice_counts_from_its_own_start() {
    let lines = open(&["a\n", "b\n", "c\n", "d\n"]).seal(true).lines;
    let tail = lines.slice(1..4);
    assert_eq!(texts(&tail), ["b\n", "c\n", "d\n"]);
    let middle = tail.slice(1..2);
    assert_eq!(texts(&middle), ["c\n"]);
    assert_eq!(middle.body(), "c\n");
    assert_eq!(tail.slice(1..1).len(), 0);
}

#[test]
fn room_is_for_lines_and_bytes_and_an_empty_batch_takes_a_line_of_any_length() {
    assert!(open(&["a\n", "b\n"]).has_room(1, 16, LIMITS));
    assert!(!open(&["a\n", "b\n"]).has_room(1, 17, LIMITS));
    assert!(!open(&["a\n", "b\n"]).has_room(2, 4, LIMITS));
    assert!(open(&[]).has_room(1, 1_000, LIMITS));
    assert!(!open(&["a\n", "b\n", "c\n"]).has_room(1, 2, LIMITS));
    let long = "x".repeat(30);
    assert!(
        !open(&[&long]).has_room(1, 2, LIMITS),
        "a long line goes alone"
    );
}

#[test]
fn appended_lines_keep_their_tickets() {
    let (ticket, receiver) = Ticket::new();
    let mut other = open(&["b\n"]);
    other.attach(ticket);
    let mut batch = open(&["a\n"]);
    batch.append(other);
    let batch = batch.seal(true);
    assert_eq!(texts(&batch.lines), ["a\n", "b\n"]);
    assert_eq!(batch.tickets[0].0, 1);
    drop((batch, receiver));
}

#[test]
fn joined_parts_keep_their_lines_and_tickets() {
    let mut batch = open(&["a\n", "b\n", "c\n"]);
    let (ticket, _delivery) = Ticket::new();
    batch.attach(ticket);
    let mut parts = batch.seal(true).split(&[0..1, 1..2, 2..3]);
    parts.remove(1);
    let joined = Batch::join(parts).unwrap();
    assert_eq!(texts(&joined.lines), ["a\n", "c\n"]);
    assert_eq!(joined.tickets[0].0, 1);
    assert!(Batch::join([]).is_none());
}

#[test]
fn split_gives_each_part_its_lines_and_tickets() {
    let mut batch = open(&["a\n", "b\n"]);
    let (ticket, _receiver) = Ticket::new();
    batch.attach(ticket);
    batch.append(open(&["c\n"]));
    let parts = batch.seal(true).split(&[0..1, 1..3]);
    assert_eq!(texts(&parts[0].lines), ["a\n"]);
    assert_eq!(texts(&parts[1].lines), ["b\n", "c\n"]);
    assert!(parts[0].tickets.is_empty());
    assert_eq!(parts[1].tickets[0].0, 0);
}

#[test]
fn a_small_part_of_a_batch_does_not_keep_the_rest_in_memory() {
    let mut batch = open(&["a\n", "bb\n", "c\n", "d\n", "e\n"]);
    let (ticket, _delivery) = Ticket::new();
    batch.attach(ticket);
    let parts = batch.seal(true).split(&[0..1, 1..2, 2..5]);
    for part in parts {
        let (before, all) = (texts(&part.lines).join(""), part.lines.kept_bytes());
        let compacted = part.compacted();
        assert_eq!(texts(&compacted.lines).join(""), before);
        let kept = compacted.lines.kept_bytes();
        assert!(
            kept == before.len() || before.len() * 2 >= all,
            "{kept} for {before:?}"
        );
    }
}

#[test]
fn a_tight_batch_has_little_memory_in_reserve_and_another_keeps_what_it_has() {
    let capacity = |tight| {
        let mut batch = OpenBatch::default();
        (0..1_000).for_each(|_| batch.push(&[b'x'; 70]));
        let lines = batch.seal(tight).lines;
        let (used, empty) = (lines.byte_len(), lines.into_empty_batch().unwrap());
        (used, empty.capacity())
    };
    let (used, reserved) = capacity(true);
    assert!(reserved <= used + used / 8, "{reserved}");
    let (used, reserved) = capacity(false);
    assert!(reserved > used + used / 8, "{reserved}");
}
