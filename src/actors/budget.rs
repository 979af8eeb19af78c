use actix::{Actor, AsyncContext, Context, fut::wrap_future};

/// What an actor does before it lets others go on: its own timers and futures, which actix polls
/// only when the mailbox is empty, and the other tasks of its thread.
#[derive(Debug, Default)]
pub(super) struct Budget {
    spent: u8,
}

/// Messages in a row. With its feature `mailbox_assert` actix panics at 256.
const MESSAGES: u8 = 128;

impl Budget {
    /// A message is being handled.
    #[inline]
    pub(super) fn spend<A>(&mut self, context: &mut Context<A>)
    where
        A: Actor<Context = Context<A>>,
    {
        self.spent += 1;
        if self.spent == MESSAGES {
            self.spent = 0;
            context.wait(wrap_future::<_, A>(actix_rt::task::yield_now()));
        }
    }
}
