//! Lists, checks, exports and sends the files of a spool.
//!
//! `cargo install actix-influxdb --features gzip --example spool_ctl` installs it.

mod args;

use std::{
    collections::BTreeMap,
    error::Error,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant, SystemTime},
};

use actix_influxdb::{Config, Influx, SpoolFile, SpoolState};
use clap::Parser as _;
use indicatif::{HumanBytes, HumanCount, HumanDuration, ProgressBar, ProgressStyle};

use self::args::{Args, Command};

/// An error as text.
type Failure = Box<dyn Error>;

#[actix::main]
async fn main() -> ExitCode {
    env_logger::init_from_env(env_logger::Env::default().default_filter_or("warn"));
    let done = match Args::parse().command {
        Command::List { folder } => list(&folder),
        Command::Check { folder } => check(&folder),
        Command::Export {
            folder,
            database,
            to,
        } => export(&folder, database.as_deref(), to.as_deref()),
        Command::Send { folder, patience } => send(&folder, Duration::from_secs(patience)).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of the output has closed it, as `head` does.
        Err(error) if is_broken_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("spool_ctl: {error}");
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &(dyn Error + 'static)) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn files(folder: &Path) -> Result<Vec<SpoolFile>, Failure> {
    let files = SpoolFile::list(folder);
    files.map_err(|error| format!("{}: {error}", folder.display()).into())
}

fn name(file: &SpoolFile) -> String {
    let name = file.path().file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn progress(files: &[SpoolFile]) -> ProgressBar {
    let bytes = files.iter().map(SpoolFile::bytes).sum();
    let style = "{bar:40} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
    ProgressBar::new(bytes).with_style(ProgressStyle::with_template(style).expect("a template"))
}

fn list(folder: &Path) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let (mut measurements, mut bytes) = (0, 0);
    for file in files(folder)? {
        let age = SystemTime::now().duration_since(file.newest());
        let age = HumanDuration(age.unwrap_or_default()).to_string();
        writeln!(
            out,
            "{:>12} measurements {:>12} {age:>12} old  {}  {}",
            HumanCount(file.measurements()).to_string(),
            HumanBytes(file.bytes()).to_string(),
            file.database().unwrap_or("(several databases)"),
            name(&file)
        )?;
        measurements += file.measurements();
        bytes += file.bytes();
    }
    let (measurements, bytes) = (HumanCount(measurements), HumanBytes(bytes));
    writeln!(out, "{measurements} measurements in {bytes}")?;
    Ok(())
}

fn check(folder: &Path) -> Result<(), Failure> {
    let files = files(folder)?;
    let bar = progress(&files);
    let mut damaged = 0;
    for file in &files {
        if let Err(error) = file.read() {
            damaged += 1;
            bar.suspend(|| println!("{}: {error}", name(file)));
        }
        bar.inc(file.bytes());
    }
    bar.finish_and_clear();
    println!("{} files, {damaged} can't be read", files.len());
    match damaged {
        0 => Ok(()),
        _ => Err("not all files can be read".into()),
    }
}

fn export(folder: &Path, database: Option<&str>, to: Option<&Path>) -> Result<(), Failure> {
    let files = files(folder)?;
    let bar = progress(&files);
    let mut outputs: BTreeMap<PathBuf, File> = BTreeMap::new();
    for file in &files {
        let batches = file
            .read()
            .map_err(|error| format!("{}: {error}", name(file)))?;
        for batch in batches {
            let from = batch.database().to_string();
            if database.is_some_and(|only| only != from) {
                continue;
            }
            let mut out: Box<dyn io::Write> = match to {
                None => Box::new(io::stdout().lock()),
                Some(to) => {
                    fs::create_dir_all(to)?;
                    let is_plain = |char: char| char.is_alphanumeric() || "_-.".contains(char);
                    let plain = from.replace(|char| !is_plain(char), "_");
                    let path = to.join(format!("{plain}.{}.lp", batch.precision()));
                    if !outputs.contains_key(&path) {
                        outputs.insert(path.clone(), File::create(&path)?);
                    }
                    Box::new(io::BufWriter::new(&outputs[&path]))
                }
            };
            for line in batch.lines() {
                out.write_all(line.as_bytes())?;
            }
            out.flush()?;
        }
        bar.inc(file.bytes());
    }
    bar.finish_and_clear();
    outputs
        .keys()
        .for_each(|path| println!("{}", path.display()));
    Ok(())
}

async fn send(folder: &Path, patience: Duration) -> Result<(), Failure> {
    files(folder)?;
    let influx = Influx::start(Config::from_env()?.spool_dir(folder))?;
    let state = || influx.stats().spool.map(|spool| spool.state);
    while state() == Some(SpoolState::Opening) {
        actix::clock::sleep(Duration::from_millis(10)).await;
    }
    match state() {
        Some(SpoolState::Open) => {}
        Some(SpoolState::Taken) => return Err("another process has the folder".into()),
        _ => return Err("the folder can't be opened".into()),
    }
    let style = "{bar:40} {human_pos} of {human_len} measurements, {per_sec}, {eta} left";
    let bar = ProgressBar::new(influx.stats().recovered)
        .with_style(ProgressStyle::with_template(style).expect("a template"));
    let (mut pending, mut since) = (u64::MAX, Instant::now());
    loop {
        let stats = influx.stats();
        bar.set_position(stats.recovered - stats.pending);
        if stats.pending < pending {
            (pending, since) = (stats.pending, Instant::now());
        }
        if pending == 0 || since.elapsed() > patience {
            break;
        }
        influx.flush(Duration::from_millis(200)).await;
    }
    bar.finish_and_clear();
    let report = influx.shutdown(Duration::from_secs(10)).await;
    println!("{}", report.stats);
    match report.stats.pending {
        0 => Ok(()),
        left => Err(format!("{left} measurements are still in {}", folder.display()).into()),
    }
}
