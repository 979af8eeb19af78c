use actix::{Actor, AsyncContext, Context, fut::wrap_future};

/// Limits the number of messages that an actor handles in a row, so that its timers and futures, which
/// actix polls only when the mailbox is empty, and the other tasks of its thread make progress.
#[derive(Debug, Default)]
pub(super) struct Budget {
    spent: u8,
}

/// Messages in a row. With its feature `mailbox_assert` actix panics at 256.
const MAX_IN_A_ROW: u8 = 128;

impl Budget {
    /// Counts a message; at the limit, yields to the other tasks.
    #[inline]
    pub(super) fn spend<A>(&mut self, context: &mut Context<A>)
    where
        A: Actor<Context = Context<A>>,
    {
        self.spent += 1;
        if self.spent == MAX_IN_A_ROW {
            self.spent = 0;
            context.wait(wrap_future::<_, A>(actix_rt::task::yield_now()));
        }
    }
}
