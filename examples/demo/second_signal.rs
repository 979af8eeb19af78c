//! Ctrl-C or SIGTERM ends the service gracefully; a second one ends it at once.

use std::{
    io,
    sync::{Arc, atomic::AtomicBool},
};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};

/// Exit code of a process that was stopped during its shutdown.
const CUT_SHORT: i32 = 130;

/// From the second of these signals on, the process exits without waiting. Pending measurements are
/// lost.
pub fn ends_at_once() -> io::Result<()> {
    let is_second = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal only sets the flag.
        flag::register_conditional_shutdown(signal, CUT_SHORT, Arc::clone(&is_second))?;
        flag::register(signal, Arc::clone(&is_second))?;
    }
    Ok(())
}
