//! Counts under valgrind's callgrind, and reads its [file format].
//!
//! [file format]: https://valgrind.org/docs/manual/cl-format.html

use std::{
    collections::HashMap,
    env, fs, io,
    ops::{Div, Sub},
    path::Path,
    process::{Command, Stdio},
};

/// What the calling thread executed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Instructions of the program itself: they depend on the compiler only.
    pub program: f64,
    /// Calls from the program to libraries, such as libc's `malloc` and `memcpy`.
    pub calls: f64,
    /// Instructions of those libraries. libc chooses some functions by the processor, and its
    /// version is the machine's: so these are shown and not compared.
    pub libraries: f64,
}

impl Sub for Counts {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            program: self.program - other.program,
            calls: self.calls - other.calls,
            libraries: self.libraries - other.libraries,
        }
    }
}

impl Div<f64> for Counts {
    type Output = Self;

    fn div(self, by: f64) -> Self {
        Self {
            program: self.program / by,
            calls: self.calls / by,
            libraries: self.libraries / by,
        }
    }
}

pub fn is_installed() -> bool {
    let mut version = Command::new("valgrind");
    let version = version.arg("--version").stdout(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}

/// Runs this program with `args` under callgrind, and counts what its first thread executes.
pub fn count(args: &[&str]) -> io::Result<Counts> {
    let program = env::current_exe()?.canonicalize()?;
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("out");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--separate-threads=yes"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(&program)
        .args(args)
        .output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(io::Error::other(format!("valgrind failed:\n{said}")));
    }
    // The other threads have files of their own.
    let profile = fs::read_to_string(out.with_file_name("out-01"))?;
    Ok(read(&profile, &program))
}

fn read(profile: &str, program: &Path) -> Counts {
    let mut counts = Counts::default();
    let mut objects = HashMap::new();
    let (mut in_program, mut calls_program) = (false, None);
    let mut is_of_callee = false;
    for line in profile.lines() {
        if let Some(object) = line.strip_prefix("ob=") {
            in_program = is(object, program, &mut objects);
        } else if let Some(object) = line.strip_prefix("cob=") {
            calls_program = Some(is(object, program, &mut objects));
        } else if let Some(calls) = line.strip_prefix("calls=") {
            // Without `cob=` it is a call within the object.
            if in_program && calls_program.take() == Some(false) {
                counts.calls += number(calls.split(' ').next());
            }
            calls_program = None;
            is_of_callee = true;
        } else if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) {
            let cost = number(line.split(' ').nth(1));
            match (std::mem::take(&mut is_of_callee), in_program) {
                // The callee's cost stands with the callee itself.
                (true, _) => {}
                (false, true) => counts.program += cost,
                (false, false) => counts.libraries += cost,
            }
        }
    }
    counts
}

/// Is this object, `(id) path` when it is first named and `(id)` from then on, the program?
fn is<'a>(object: &'a str, program: &Path, objects: &mut HashMap<&'a str, bool>) -> bool {
    match object.split_once(' ') {
        None => objects.get(object).copied().unwrap_or(false),
        Some((id, path)) => {
            let is_program = Path::new(path) == program;
            objects.insert(id, is_program);
            is_program
        }
    }
}

fn number(word: Option<&str>) -> f64 {
    word.and_then(|word| word.parse().ok())
        .expect("callgrind writes numbers there")
}
