//! Cores, clocks, and what the machine is called.

use std::{
    fs,
    io::Read as _,
    process::{Command, Stdio},
    thread,
};

use anyhow::{Context as _, Result, anyhow, bail};
use rustix::{
    thread::{CpuSet, sched_getaffinity, sched_setaffinity},
    time::{ClockId, clock_gettime},
};

/// The two cores of a measurement: one for what is measured, one for all else.
#[derive(Clone, Copy, Debug)]
pub struct Cores {
    pub subject: usize,
    pub others: usize,
}

impl Cores {
    /// The first and the last of those that this process may use. On a machine of one core, they
    /// are the same.
    pub fn find() -> Result<Self> {
        let allowed = sched_getaffinity(None).context("can't tell which cores may be used")?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
        let subject = cores.next().context("no core may be used")?;
        let others = cores.next_back().unwrap_or(subject);
        Ok(Self { subject, others })
    }
}

/// Keeps this thread, and those that it starts from now on, on one core.
pub fn pin(core: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).with_context(|| format!("can't stay on core {core}"))
}

/// Runs another program on one core: what it wrote to its standard output, and its CPU time in
/// nanoseconds.
pub fn output_on(core: usize, mut command: Command) -> Result<(String, f64)> {
    let name = command.get_program().display().to_string();
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    // It inherits the core from the thread that starts it.
    let spawned = thread::spawn(move || {
        pin(core)?;
        Ok::<_, anyhow::Error>(command.spawn()?)
    });
    let spawned = spawned.join().map_err(|_| anyhow!("a thread panicked"))?;
    let mut child = spawned.with_context(|| format!("can't start {name}"))?;
    let mut output = String::new();
    if let Some(stdout) = &mut child.stdout {
        stdout.read_to_string(&mut output)?;
    }
    // It is through, and its times are there until it is waited for.
    let cpu = cpu_of(child.id())? * 1e9;
    let status = child.wait()?;
    if !status.success() {
        bail!("{name} failed ({status}): {output}");
    }
    Ok((output, cpu))
}

/// Nanoseconds of the clock that all processes share.
pub fn now() -> u64 {
    nanos(ClockId::Monotonic)
}

/// CPU time of this process in nanoseconds, all its threads, user and system.
pub fn process_cpu() -> u64 {
    nanos(ClockId::ProcessCPUTime)
}

/// CPU time of this thread in nanoseconds.
pub fn thread_cpu() -> u64 {
    nanos(ClockId::ThreadCPUTime)
}

fn nanos(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// CPU time of another process in seconds, user and system.
pub fn cpu_of(pid: u32) -> Result<f64> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).with_context(|| format!("can't read {path}"))?;
    // The second word is the program's name in parentheses, which may hold anything.
    let (_, rest) = stat.rsplit_once(") ").context("no name in its stat")?;
    let mut words = rest.split(' ').skip(11);
    let mut ticks = || -> Option<u64> { words.next()?.parse().ok() };
    let both = ticks().zip(ticks()).map(|(user, system)| user + system);
    Ok(both.context("no times in its stat")? as f64
        / rustix::param::clock_ticks_per_second() as f64)
}

/// The lines above the tables: CPU, cores, kernel, compiler, date.
pub fn describe() -> Vec<String> {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == "model name").then(|| value.trim().to_owned())
    });
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let said = |program: &str, argument: &str| {
        let output = Command::new(program).arg(argument).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        Some(text.trim().to_owned())
    };
    let or_unknown = |text: Option<String>| text.unwrap_or_else(|| "unknown".to_owned());
    vec![
        format!("CPU: {}, {cores} cores", or_unknown(model)),
        format!("Kernel: {}", or_unknown(said("uname", "-sr"))),
        format!("Compiler: {}", or_unknown(said("rustc", "--version"))),
        format!("Date: {}", or_unknown(said("date", "-uI"))),
    ]
}

/// How many threads of all programs wanted to run, on average, in the last minutes: 1, 5 and 15.
pub fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}
