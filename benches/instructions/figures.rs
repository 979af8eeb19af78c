//! The figures that are kept, and what may become of them.

use std::{
    fmt::{self, Write as _},
    fs, io,
    process::Command,
};

/// Beside the benchmark, to be read and committed.
const FILE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/benches/instructions/figures.toml"
);

const HEAD: &str = "\
# Instructions per operation, as callgrind counts them, of the thread that calls: see main.rs.
# `calls` are calls of the program to libraries (malloc, memcpy and the like). Figures hold for
# one compiler. New ones: cargo bench --bench instructions -- --save
";

/// What made the program.
#[derive(Debug, Default, PartialEq)]
pub struct Compiler {
    /// With its version and commit.
    pub rustc: String,
    pub target: String,
}

impl Compiler {
    /// The one that cargo uses in this folder.
    pub fn current() -> io::Result<Self> {
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let output = Command::new(rustc).arg("-vV").output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let value = |key| text.lines().find_map(|line| line.strip_prefix(key));
        Ok(Self {
            rustc: text.lines().next().unwrap_or_default().to_owned(),
            target: value("host: ").unwrap_or_default().to_owned(),
        })
    }
}

impl fmt::Display for Compiler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.rustc {
            "" => f.write_str("nothing yet"),
            rustc => write!(f, "{rustc} for {}", self.target),
        }
    }
}

/// Per operation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figure {
    pub instructions: f64,
    pub calls: f64,
}

#[derive(Debug, Default)]
pub struct Figures {
    pub compiler: Compiler,
    /// In the order in which they are counted.
    pub by_scenario: Vec<(String, Figure)>,
}

impl Figures {
    /// Those that are kept; none if the file isn't there.
    pub fn load() -> io::Result<Self> {
        let text = match fs::read_to_string(FILE) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let mut figures = Self::default();
        for line in text.lines() {
            let Some((key, value)) = line.split_once(" = ").filter(|_| !line.starts_with('#'))
            else {
                continue;
            };
            match key {
                "rustc" => figures.compiler.rustc = value.trim_matches('"').to_owned(),
                "target" => figures.compiler.target = value.trim_matches('"').to_owned(),
                name => {
                    let figure = parse(value).ok_or_else(|| {
                        io::Error::other(format!("{FILE}: `{line}` is not a figure"))
                    })?;
                    figures.by_scenario.push((name.to_owned(), figure));
                }
            }
        }
        Ok(figures)
    }

    pub fn get(&self, scenario: &str) -> Option<Figure> {
        let mut all = self.by_scenario.iter();
        all.find_map(|(name, figure)| (name == scenario).then_some(*figure))
    }

    pub fn save(&self) -> io::Result<&'static str> {
        let Compiler { rustc, target } = &self.compiler;
        let mut text = format!("{HEAD}\nrustc = \"{rustc}\"\ntarget = \"{target}\"\n\n");
        for (
            name,
            Figure {
                instructions,
                calls,
            },
        ) in &self.by_scenario
        {
            _ = writeln!(
                text,
                "{name} = {{ instructions = {instructions:.0}, calls = {calls:.1} }}"
            );
        }
        fs::write(FILE, text)?;
        Ok(FILE)
    }
}

/// `{ instructions = 1234, calls = 5.6 }`
fn parse(value: &str) -> Option<Figure> {
    let inner = value
        .strip_prefix("{ instructions = ")?
        .strip_suffix(" }")?;
    let (instructions, calls) = inner.split_once(", calls = ")?;
    Some(Figure {
        instructions: instructions.parse().ok()?,
        calls: calls.parse().ok()?,
    })
}
