//! An actor that measures this machine, once a second.

use std::time::Duration;

use actix::{Actor, ActorContext as _, AsyncContext as _, Context, Handler, Message, Recipient};
use actix_influxdb::Measurement;
use sysinfo::{Networks, System};

/// The recipient of the measurements: the ingest actor here, a mock in a test.
pub struct Sampler {
    database: String,
    influx: Recipient<Measurement>,
    system: System,
    networks: Networks,
}

impl Sampler {
    pub fn new(database: &str, influx: Recipient<Measurement>) -> Self {
        let mut system = System::new();
        // The first sample, which CPU usage is measured from.
        system.refresh_cpu_usage();
        Self {
            database: database.to_owned(),
            influx,
            system,
            networks: Networks::new_with_refreshed_list(),
        }
    }

    fn measurement(&self, name: &'static str) -> Measurement {
        Measurement::new(self.database.clone(), name)
    }

    fn sample(&mut self) {
        self.system.refresh_cpu_usage();
        self.system.refresh_memory();
        self.networks.refresh(true);

        let cpu = self
            .measurement("cpu")
            .field("percent", self.system.global_cpu_usage())
            .field("load", System::load_average().one);
        self.influx.do_send(cpu);

        let memory = self
            .measurement("memory")
            .field("used_bytes", self.system.used_memory())
            .field("available_bytes", self.system.available_memory());
        self.influx.do_send(memory);

        for (interface, traffic) in &self.networks {
            let network = self
                .measurement("network")
                .tag("interface", interface.clone())
                .field("received_bytes", traffic.received())
                .field("sent_bytes", traffic.transmitted());
            self.influx.do_send(network);
        }
    }
}

impl Actor for Sampler {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.run_interval(Duration::from_secs(1), |sampler, _| sampler.sample());
    }
}

/// Ends the sampling.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Stop;

impl Handler<Stop> for Sampler {
    type Result = ();

    fn handle(&mut self, _: Stop, context: &mut Self::Context) {
        context.stop();
    }
}
