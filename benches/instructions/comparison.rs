//! What was counted, beside what is kept.

use crate::{
    SAVE,
    callgrind::Counts,
    figures::{Compiler, Figures},
};

/// What a figure may grow by, in per cent.
const ALLOWED: f64 = 5.0;

const HEADS: &str = "               \
instructions      kept                calls      kept           in libraries";

/// A figure, and the one that is kept, unless the scenario is new.
#[derive(Clone, Copy)]
struct Pair {
    now: f64,
    kept: Option<f64>,
    /// At most what rounding took off when it was saved.
    rounding: f64,
}

impl Pair {
    /// In per cent.
    fn growth(self) -> Option<f64> {
        let kept = self.kept.filter(|kept| *kept > 0.0)?;
        Some(100.0 * (self.now / kept - 1.0))
    }

    fn grew_too_much(self) -> bool {
        let allowed = |kept: f64| kept * (1.0 + ALLOWED / 100.0) + self.rounding;
        self.kept.is_some_and(|kept| self.now > allowed(kept))
    }

    fn shrank_as_much(self) -> bool {
        self.growth().is_some_and(|growth| growth < -ALLOWED)
    }

    fn columns(self) -> String {
        let kept = self.kept.map_or("-".into(), |kept| kept.to_string());
        let growth = self
            .growth()
            .map_or(String::new(), |by| format!("{by:+.1} %"));
        format!("{:>10.1} {kept:>9} {growth:>9}", self.now)
    }
}

/// Prints everything. Says whether no figure grew too much, as far as that can be said.
pub fn print(kept: &Figures, compiler: &Compiler, counted: &[(&str, Counts)]) -> bool {
    println!("\nWhat each operation costs the thread that calls, and what libraries do of it:\n");
    println!("{HEADS}");
    let (mut grown, mut shrank) = (Vec::new(), false);
    for (name, counts) in counted {
        let before = kept.get(name);
        let instructions = Pair {
            now: counts.program,
            kept: before.map(|kept| kept.instructions),
            rounding: 0.5,
        };
        let calls = Pair {
            now: counts.calls,
            kept: before.map(|kept| kept.calls),
            rounding: 0.05,
        };
        let (columns, libraries) = (instructions.columns(), counts.libraries);
        println!(
            "{name:14}   {columns} {} {libraries:>12.1}",
            calls.columns()
        );
        for (what, pair) in [
            ("instructions", instructions),
            ("calls to libraries", calls),
        ] {
            shrank |= pair.shrank_as_much();
            if let (Some(kept), true) = (pair.kept, pair.grew_too_much()) {
                let growth = 100.0 * (pair.now / kept - 1.0);
                let now = pair.now;
                grown.push(format!(
                    "{name}: {now:.1} {what}, kept are {kept}: {growth:+.1} %"
                ));
            }
        }
    }
    println!();
    if kept.compiler != *compiler {
        println!("This is {compiler}.");
        println!("The figures kept are of {}.", kept.compiler);
        println!("Compilers differ, so nothing fails here. To keep figures of this one: {SAVE}");
        return true;
    }
    if shrank {
        println!("To hold on to what was gained: {SAVE}");
    }
    for line in &grown {
        println!("GREW BY MORE THAN {ALLOWED} %: {line}");
    }
    if !grown.is_empty() {
        println!("If what it brings is worth that, keep the new figures: {SAVE}");
    }
    grown.is_empty()
}
