//! Ctrl-C or SIGTERM ends the service in its own time; once more, and it ends at once.

use std::{
    io,
    sync::{Arc, atomic::AtomicBool},
};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};

/// Exit code of a process that was stopped in the middle of its end.
const CUT_SHORT: i32 = 130;

/// From the second of these signals on, the process exits without waiting for anything. What is
/// still pending then is lost.
pub fn ends_at_once() -> io::Result<()> {
    let is_second = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first one only raises the flag.
        flag::register_conditional_shutdown(signal, CUT_SHORT, Arc::clone(&is_second))?;
        flag::register(signal, Arc::clone(&is_second))?;
    }
    Ok(())
}
