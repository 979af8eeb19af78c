//! Updates sent as messages: the program's closure runs on the actor's thread.

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use actix::{Addr, AsyncContext as _, Context, ResponseFuture};

use super::BufferActor;
use crate::{
    ConfigError,
    actors::messages::{Update, internal::Reconfigure},
    influx::shared::Shared,
    influx::turn::{Refused, Taken},
};

impl BufferActor {
    /// Applies the update at once, so that later messages see it. If another thread is applying an
    /// update, this one is applied later, without blocking.
    pub(super) fn update(
        &mut self,
        update: Update,
        context: &mut Context<Self>,
    ) -> ResponseFuture<Result<(), ConfigError>> {
        let shared = Arc::clone(&self.shared);
        if update.inside.contains(&shared.turn.id()) {
            return Box::pin(async { Err(Refused::Inside.into()) });
        }
        let updated = match shared.turn.try_take() {
            Ok(turn) => apply(update, &shared, &turn),
            Err(Refused::Inside) => Err(Refused::Inside.into()),
            Err(Refused::Busy) => {
                return Box::pin(update_later(update, Arc::clone(&shared), context.address()));
            }
        };
        if updated.is_ok() {
            self.reconfigure(context);
        }
        Box::pin(async { updated })
    }
}

async fn update_later(
    update: Update,
    shared: Arc<Shared>,
    buffer: Addr<BufferActor>,
) -> Result<(), ConfigError> {
    let turn = shared.turn.taken_later().await;
    apply(update, &shared, &turn)?;
    buffer.do_send(Reconfigure);
    Ok(())
}

/// A panic of the program's closure must not affect pending measurements.
fn apply(update: Update, shared: &Shared, turn: &Taken<'_>) -> Result<(), ConfigError> {
    let change = AssertUnwindSafe(|| shared.change(update.change, turn));
    catch_unwind(change).unwrap_or_else(|payload| {
        // Dropping it could panic too.
        mem::forget(payload);
        Err(ConfigError::new(
            "update",
            "a closure that panicked",
            "nothing was changed",
        ))
    })
}
