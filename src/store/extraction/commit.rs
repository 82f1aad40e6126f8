//! How the committer does extraction's writes, and who learns of them.

use super::{Write, Written, write};
use crate::{
    error::Error,
    memory::UserKey,
    store::{
        attempt::Failure,
        committer::{Committer, REFUSED},
    },
};
use std::sync::Arc;
use tokio::time::Instant;

impl Committer {
    /// What extraction writes; the very next recall sees it.
    pub(in crate::store) async fn extraction(
        &mut self,
        user: &UserKey,
        what: &Arc<Write>,
        until: Instant,
    ) -> Result<Result<Written, Error>, Failure> {
        let ask = Arc::new((user.clone(), what.clone(), self.shared.clone()));
        let done = self.attempt(until, move |db| {
            let ask = ask.clone();
            async move { write(&db, &ask.0, &ask.1, &ask.2.rules).await }
        });
        let answer = match done.await {
            Err(Failure::Down) => return Err(Failure::Down),
            Err(Failure::Refused) => Err(Error::invalid("body", REFUSED)),
            Ok(answer) => answer,
        };
        if let Ok(written) = &answer
            && what.is_about_the_user()
        {
            let residents = &self.shared.residents;
            residents.update(user, written.mark, |resident| {
                if let Some(profile) = &written.profile {
                    resident.profile = profile.clone();
                }
            });
            if matches!(**what, Write::Requeue(_)) && written.count > 0 {
                self.shared.gathering.urge(user, true);
            }
            if written.unsettled && self.shared.undelivered.is_none() {
                let now = || (0, Instant::now());
                self.unsettled.entry(user.clone()).or_insert_with(now);
            }
        }
        Ok(answer)
    }
}
