//! The actix-web apps, one file per middleware, and the process that one of them runs in.

use std::{
    io::{self, Read as _},
    thread,
};

use actix::System;
use actix_web::{Responder, dev::Server, web};
use anyhow::{Context as _, Result};
use clap::ValueEnum;

use crate::{cli::ServeArguments, machine};

mod bare;
mod logger;
mod metrics;
mod ours;
mod prom;

/// What is compared, in the order of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum App {
    Bare,
    Ours,
    Prom,
    Logger,
    Metrics,
}

impl App {
    /// As it is written on the command line.
    pub fn argument(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// As it is called in the table.
    pub fn title(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Ours => "**actix-influxdb**, a point per request, delivered",
            Self::Prom => "actix-web-prom (aggregates only)",
            Self::Logger => "`Logger`",
            Self::Metrics => "actix-web-metrics (aggregates only)",
        }
    }

    /// The package that it is of.
    pub fn package(self) -> &'static str {
        match self {
            Self::Bare | Self::Logger => "actix-web",
            Self::Ours => "actix-influxdb",
            Self::Prom => "actix-web-prom",
            Self::Metrics => "actix-web-metrics",
        }
    }
}

/// The process: says the CPU time that it took to begin (`begun`) and its `port`; answers until its
/// standard input ends, and says the CPU time by then (`cpu`), in nanoseconds.
pub fn run(arguments: &ServeArguments) -> Result<()> {
    machine::pin(arguments.core)?;
    System::new().block_on(async {
        match arguments.app {
            App::Bare => bare::start()?.serve().await,
            App::Ours => ours::serve(arguments.sink).await,
            App::Prom => prom::start()?.serve().await,
            App::Logger => logger::start()?.serve().await,
            App::Metrics => metrics::start()?.serve().await,
        }
    })
}

/// What all of them answer.
fn routes(config: &mut web::ServiceConfig) {
    config.route("/users/{id}", web::get().to(user));
}

async fn user(id: web::Path<u64>) -> impl Responder {
    format!("user {id}")
}

/// Where all of them listen: on a port that is free.
const ADDRESS: (&str, u16) = ("127.0.0.1", 0);

/// An app that runs.
struct Running {
    server: Server,
    port: Option<u16>,
}

impl Running {
    async fn serve(self) -> Result<()> {
        let port = self.port.context("the app listens nowhere")?;
        println!("begun={}\nport={port}", machine::process_cpu());
        let handle = self.server.handle();
        thread::spawn(move || {
            // Either way nobody needs it any more.
            _ = io::stdin().read_to_end(&mut Vec::new());
            println!("cpu={}", machine::process_cpu());
            drop(handle.stop(true));
        });
        Ok(self.server.await?)
    }
}

/// One worker, which is what is measured.
macro_rules! start {
    ($app:expr) => {{
        let server = actix_web::HttpServer::new($app)
            .workers(1)
            .shutdown_timeout(2)
            .disable_signals()
            .bind($crate::apps::ADDRESS)?;
        let port = server.addrs().first().map(std::net::SocketAddr::port);
        let server = server.run();
        $crate::apps::Running { server, port }
    }};
}
use start;
