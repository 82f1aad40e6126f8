//! The role of the `PoolModelActor` is to lease a backend for the turn: the best by policy of
//! those that serve its model and have not failed it yet. Where all are full the turn stands in the
//! model's queue, and leaves it when its caller has gone. It never talks to a backend itself: the
//! web worker opens the stream, so that a token never crosses a thread.

use crate::{
    graph::Node,
    memory::Said,
    pool::{Lease, Pool, Request, Tried, Want},
    prompt::RecallReport,
    supervise::{Poke, Post},
    turn::{Call, Stage, Turn},
};
use actix::prelude::*;
use std::sync::Arc;

/// A request as it will be sent.
pub struct Prompted {
    /// What is sent.
    pub request: Request,
    /// What recall found, for the caller.
    pub recall: RecallReport,
    /// What the user said, for the write-back.
    pub said: Option<Said>,
    /// What has failed this turn already.
    pub tried: Vec<Tried>,
}

impl Stage for Prompted {
    const NAME: &'static str = "Turn<Prompted>";
}

/// See the file's head.
pub struct PoolModelActor {
    post: Post<Prompted>,
    pool: Arc<Pool>,
}

impl PoolModelActor {
    /// A replica that leases from `pool`.
    pub fn new(post: Post<Prompted>, pool: Arc<Pool>) -> Self {
        PoolModelActor { post, pool }
    }
}

impl Node for PoolModelActor {
    const NAME: &'static str = "model";
}

impl Actor for PoolModelActor {
    type Context = Context<Self>;
}

impl Supervised for PoolModelActor {}

impl Handler<Turn<Prompted>> for PoolModelActor {
    type Result = ();

    fn handle(&mut self, turn: Turn<Prompted>, _: &mut Context<Self>) {
        self.post.serve(turn, |turn| {
            let want = Want {
                model: &turn.stage.request.model,
                affinity: turn.case.affinity,
                tried: &turn.stage.tried,
            };
            match self.pool.place(want) {
                Ok(Some(lease)) => finish(turn, lease),
                Ok(None) => {
                    let pool = self.pool.clone();
                    turn.work(move |turn| stand_in_line(pool, turn));
                }
                Err(error) => turn.fail(error),
            }
        });
    }
}

impl Handler<Poke> for PoolModelActor {
    type Result = ();

    fn handle(&mut self, poke: Poke, ctx: &mut Context<Self>) {
        poke.obey(ctx);
    }
}

async fn stand_in_line(pool: Arc<Pool>, mut turn: Turn<Prompted>) {
    let (model, tried) = (turn.stage.request.model.clone(), turn.stage.tried.clone());
    let leased = tokio::select! {
        leased = pool.queue(&model, &tried) => leased,
        () = turn.abandoned() => return,
    };
    match leased {
        Ok(lease) => finish(turn, lease),
        Err(error) => turn.fail(error),
    }
}

fn finish(turn: Turn<Prompted>, lease: Lease) {
    turn.finish(|case, prompted| Call {
        case,
        lease,
        request: prompted.request,
        tried: prompted.tried,
        said: prompted.said,
        recall: prompted.recall,
        seat: None,
    });
}
