//! [wrk](https://github.com/wg/wrk), with one thread.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use super::{HEADERS, Loaded};
use crate::machine::{self, Cores};

/// Is it there, as a command?
pub fn is_available() -> bool {
    let mut command = Command::new("wrk");
    let command = command.arg("--version");
    // It fails after it has said its version.
    let command = command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok()
}

pub fn run(port: &str, connections: usize, seconds: u32, cores: Cores) -> Result<Loaded> {
    let mut command = Command::new("wrk");
    command.args(["--threads=1", "--latency"]);
    command.arg(format!("--connections={connections}"));
    command.arg(format!("--duration={seconds}s"));
    for (name, value) in HEADERS {
        command.arg(format!("--header={name}: {value}"));
    }
    command.arg(format!("http://127.0.0.1:{port}/users/42"));
    let (output, cpu) = machine::output_on(cores.others, command)?;
    let loaded = parse(&output).with_context(|| format!("wrk said {output:?}"))?;
    Ok(Loaded { cpu, ..loaded })
}

/// Reads what it says, all but its CPU time, which it does not say.
fn parse(output: &str) -> Result<Loaded> {
    let after = |start: &str| {
        let mut lines = output.lines().map(str::trim);
        let rest = lines.find_map(|line| line.strip_prefix(start));
        rest.map(str::trim)
            .with_context(|| format!("no line with {start:?}"))
    };
    for fault in ["Socket errors:", "Non-2xx or 3xx responses:"] {
        if let Ok(what) = after(fault) {
            bail!("{fault} {what}");
        }
    }
    let mut lines = output.lines().map(str::trim);
    let all = lines.find_map(|line| line.split_once(" requests in "));
    let (requests, rest) = all.context("no number of requests")?;
    let elapsed = rest.split(',').next().unwrap_or_default();
    Ok(Loaded {
        requests: requests.parse()?,
        rate: after("Requests/sec:")?.parse()?,
        p50: nanos(after("50%")?)?,
        p99: nanos(after("99%")?)?,
        elapsed: nanos(elapsed)?,
        cpu: 0.0,
    })
}

/// `84.24us`, `1.20ms`, `3.00s`, `1.10m`.
fn nanos(text: &str) -> Result<f64> {
    let end = text.find(|char: char| char.is_ascii_alphabetic());
    let (number, unit) = text.split_at(end.context("a time without a unit")?);
    let unit = match unit {
        "us" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        "m" => 60e9,
        _ => bail!("no unit of time: {unit:?}"),
    };
    Ok(number.parse::<f64>()? * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
Running 3s test @ http://127.0.0.1:80/users/42
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    93.51us   36.21us   1.71ms   89.21%
    Req/Sec   170.30k     8.16k  181.25k    80.65%
  Latency Distribution
     50%   86.00us
     75%   99.00us
     90%  120.00us
     99%    1.20ms
  525102 requests in 3.10s, 62.09MB read
Requests/sec: 169388.92
Transfer/sec:     20.03MB
";

    #[test]
    fn what_wrk_says_is_read() {
        let loaded = parse(OUTPUT).expect("it is all there");
        assert_eq!(loaded.requests, 525_102.0);
        assert_eq!(loaded.rate, 169_388.92);
        assert_eq!((loaded.p50, loaded.p99), (86_000.0, 1_200_000.0));
        assert_eq!(loaded.elapsed, 3.1e9);
    }

    #[test]
    fn answers_other_than_2xx_are_a_failure() {
        let output = format!("{OUTPUT}  Non-2xx or 3xx responses: 3\n");
        assert!(parse(&output).is_err());
    }
}
