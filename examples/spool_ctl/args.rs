//! Command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Shows, checks, exports and sends the files in the spool of a program with actix-influxdb.
#[derive(Debug, Parser)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// One line for each file: measurements, bytes, age, database
    List {
        /// The folder (INFLUXDB_SPOOL_DIR of the program)
        folder: PathBuf,
    },
    /// Read all files, and say which are damaged; fails if any is
    Check {
        /// The folder
        folder: PathBuf,
    },
    /// Print all measurements in line protocol, or write a file for each database and unit
    Export {
        /// The folder
        folder: PathBuf,
        /// Only this database, or `database/retention policy`
        #[arg(long, value_name = "NAME")]
        database: Option<String>,
        /// Folder for files like `telemetry.ns.lp`, which curl can post
        #[arg(long, value_name = "FOLDER")]
        to: Option<PathBuf>,
    },
    /// Send all measurements, to the server of INFLUXDB_URL and with the other INFLUXDB_ settings;
    /// files are removed when the server has answered. The program must not be running
    Send {
        /// The folder
        folder: PathBuf,
        /// Give up when nothing was sent for this many seconds
        #[arg(long, default_value_t = 60)]
        patience: u64,
    },
}
