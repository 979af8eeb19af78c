//! How many instructions an operation takes: counts, not times, so that they hold on any machine.
//!
//! ```text
//! cargo bench --bench instructions               counts, and compares with the figures kept
//! cargo bench --bench instructions -- --check    fails too if one grew by more than 5 %
//! cargo bench --bench instructions -- --save     keeps the new figures
//! ```
//!
//! It runs itself under valgrind's callgrind, each scenario so many times and twice as many: the
//! difference is what the operations cost, without start-up and what happens once. Only the calling
//! thread is counted.
//!
//! Machines differ in their libraries: which `memcpy` libc has and chooses for a processor, and how
//! it asks for the time. So what is kept is what the program itself executes, and how often it
//! calls a library; the instructions of libraries are only shown. Compilers differ in the rest:
//! figures of another one are shown, and fail nothing.

#[path = "../data/mod.rs"]
mod data;

mod callgrind;
mod comparison;
mod figures;
mod scenarios;

use std::{env, io, process::ExitCode};

use self::{
    callgrind::Counts,
    figures::{Compiler, Figure, Figures},
    scenarios::{SCENARIOS, Scenario},
};

/// How often an operation is run, and twice that.
const TIMES: u32 = 4_000;

const SAVE: &str = "cargo bench --bench instructions -- --save";

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let has = |name: &str| args.iter().any(|arg| arg == name);
    if let [run, name, times] = &args[..]
        && run == "--run"
    {
        let scenario = Scenario::find(name).expect("a scenario of this program");
        (scenario.run)(times.parse().expect("a number"));
        return ExitCode::SUCCESS;
    }
    // `cargo test --all-targets` runs benchmarks too, without it.
    if !has("--bench") {
        return ExitCode::SUCCESS;
    }
    let is_check = has("--check");
    if !callgrind::is_installed() {
        eprintln!("instructions: valgrind is not here (apt install valgrind): nothing is counted");
        return if is_check {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        };
    }
    match run(has("--save")) {
        Ok(passes) if passes || !is_check => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("instructions: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Counts, prints and, if asked to, saves. Are the figures as they may be?
fn run(save: bool) -> io::Result<bool> {
    let compiler = Compiler::current()?;
    let counted = count()?;
    let passes = comparison::print(&Figures::load()?, &compiler, &counted);
    if !save {
        return Ok(passes);
    }
    let figure = |(name, counts): &(&str, Counts)| {
        let figure = Figure {
            instructions: counts.program,
            calls: counts.calls,
        };
        (name.to_string(), figure)
    };
    let is_kept = |(name, _): &&(&str, Counts)| !scenarios::is_base(name);
    let by_scenario = counted.iter().filter(is_kept).map(figure).collect();
    let file = Figures {
        compiler,
        by_scenario,
    }
    .save()?;
    println!("Kept in {file}");
    Ok(true)
}

/// Of each scenario, per operation.
fn count() -> io::Result<Vec<(&'static str, Counts)>> {
    let mut counted: Vec<(&str, Counts)> = Vec::new();
    for Scenario { name, over, .. } in &SCENARIOS {
        let of = |times: u32| callgrind::count(&["--run", name, &times.to_string()]);
        let mut counts = (of(2 * TIMES)? - of(TIMES)?) / f64::from(TIMES);
        if let Some((_, bare)) = counted.iter().find(|(name, _)| Some(*name) == *over) {
            counts = counts - *bare;
        }
        counted.push((name, counts));
    }
    Ok(counted)
}
