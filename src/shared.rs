use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};

use crate::{
    Config, ConfigError, ShutdownReport, Stats,
    health::Health,
    intake::{Door, Intake, Settings},
};

/// What a handle and the actors of its pipeline share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) intake: Intake,
    pub(crate) health: Health,
    config: Mutex<Arc<Config>>,
    /// Did it start enabled? Otherwise there are no actors, and there won't be.
    has_actors: bool,
    end: Mutex<Option<ShutdownReport>>,
    ended: Condvar,
}

impl Shared {
    /// The configuration has been validated.
    pub(crate) fn new(config: Config) -> Self {
        let has_actors = config.enabled;
        Self {
            intake: Intake::new(Settings::new(&config, door(&config))),
            config: Mutex::new(Arc::new(config)),
            health: Health::default(),
            has_actors,
            end: Mutex::new(None),
            ended: Condvar::new(),
        }
    }

    /// The ledger at one instant, and what is known of endpoints and databases.
    pub(crate) fn stats(&self) -> Stats {
        let (endpoints, databases) = self.health.snapshot();
        Stats {
            endpoints,
            databases,
            ..self.intake.stats()
        }
    }

    pub(crate) fn has_actors(&self) -> bool {
        self.has_actors
    }

    pub(crate) fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.lock())
    }

    /// Changes the configuration, for callers at once. The buffer actor is to be told.
    pub(crate) fn update(&self, change: impl FnOnce(Config) -> Config) -> Result<(), ConfigError> {
        let mut config = self.config.lock();
        let changed = change(Config::clone(&config));
        changed.validate()?;
        if changed.precision != config.precision {
            return Err(ConfigError::new(
                "precision",
                format!("\"{}\"", changed.precision),
                format!(
                    "while it runs it stays {}: what is pending is written in it already",
                    config.precision
                ),
            ));
        }
        if changed.enabled && !self.has_actors {
            return Err(ConfigError::new(
                "enabled",
                "true",
                "what was started disabled has nothing that could deliver: start another",
            ));
        }
        self.intake.reconfigure(&changed, door(&changed));
        *config = Arc::new(changed);
        Ok(())
    }

    /// Nothing is taken from here on.
    pub(crate) fn close(&self) {
        let config = self.config.lock();
        self.intake.reconfigure(&config, Door::Closed);
    }

    pub(crate) fn set_end(&self, report: ShutdownReport) {
        self.end.lock().get_or_insert(report);
        self.ended.notify_all();
    }

    pub(crate) fn end(&self) -> Option<ShutdownReport> {
        self.end.lock().clone()
    }

    /// Blocks until the end, or for as long as `limit`.
    pub(crate) fn wait_for_end(&self, limit: Duration) {
        // None for a limit so long that there is no such time.
        let deadline = Instant::now().checked_add(limit);
        let mut end = self.end.lock();
        while end.is_none() {
            match deadline {
                None => self.ended.wait(&mut end),
                Some(deadline) => {
                    if self.ended.wait_until(&mut end, deadline).timed_out() {
                        return;
                    }
                }
            }
        }
    }
}

fn door(config: &Config) -> Door {
    match config.enabled {
        true => Door::Open,
        false => Door::Disabled,
    }
}
