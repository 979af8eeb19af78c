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
    influx::update_lock::{LockError, UpdateGuard},
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
        if update.held_locks.contains(&shared.update_lock.id()) {
            return Box::pin(async { Err(LockError::Reentrant.into()) });
        }
        let updated = match shared.update_lock.try_take() {
            Ok(update_lock) => apply(update, &shared, &update_lock),
            Err(LockError::Reentrant) => Err(LockError::Reentrant.into()),
            Err(LockError::Busy) => {
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
    let update_lock = shared.update_lock.lock_async().await;
    apply(update, &shared, &update_lock)?;
    buffer.do_send(Reconfigure);
    Ok(())
}

/// A panic of the program's closure must not affect pending measurements.
fn apply(
    update: Update,
    shared: &Shared,
    update_lock: &UpdateGuard<'_>,
) -> Result<(), ConfigError> {
    let change = AssertUnwindSafe(|| shared.change(update.change, update_lock));
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
