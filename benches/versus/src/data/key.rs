//! The keys of tags and fields: constants, as in a program.

/// A key in each of the forms that a client needs.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its place in [`KEYS`].
    pub place: usize,
    pub name: &'static str,
    /// As it is written in a line: `,name=`.
    pub after_comma: &'static str,
    /// The same for the first field: ` name=`.
    pub after_blank: &'static str,
}

macro_rules! keys {
    ($count:literal: $($constant:ident = $place:literal, $name:literal;)+) => {
        $(pub const $constant: Key = Key {
            place: $place,
            name: $name,
            after_comma: concat!(",", $name, "="),
            after_blank: concat!(" ", $name, "="),
        };)+

        /// All of them, by their places.
        pub const KEYS: [Key; $count] = [$($constant),+];
    };
}

keys! { 30:
    HOST = 0, "host";
    REGION = 1, "region";
    SERVICE = 2, "service";
    ENDPOINT = 3, "endpoint";
    METHOD = 4, "method";
    STATUS = 5, "status";
    ZONE = 6, "availability_zone";
    CLUSTER = 7, "cluster";
    NAMESPACE = 8, "namespace";
    POD = 9, "pod_template";
    RELEASE = 10, "release";
    RUNTIME = 11, "runtime";
    KERNEL = 12, "kernel";
    ARCHITECTURE = 13, "architecture";
    INSTANCE = 14, "instance_type";
    TEAM = 15, "team";
    TIER = 16, "tier";
    PROTOCOL = 17, "protocol";
    SCHEME = 18, "scheme";
    OUTCOME = 19, "outcome";
    DURATION = 20, "duration";
    FIRST_BYTE = 21, "time_to_first_byte";
    QUEUED = 22, "queued";
    DATABASE_TIME = 23, "database_time";
    RENDER_TIME = 24, "render_time";
    BYTES = 25, "bytes";
    RECEIVED = 26, "bytes_received";
    ROWS = 27, "rows";
    ALLOCATED = 28, "allocated";
    RETRIES = 29, "retries";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_at_its_place() {
        for (place, key) in KEYS.iter().enumerate() {
            assert_eq!(key.place, place, "{}", key.name);
        }
    }
}
