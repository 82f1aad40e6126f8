//! A runtime of its own for whatever must not be blocked by the web workers, nor block them.

use std::{future::Future, io};
use tokio::{runtime::Runtime, task::JoinHandle};

/// Dropped from wherever, so it may not wait: what still runs on it is cut.
pub struct Own(Option<Runtime>);

impl Own {
    /// With so many threads of that name.
    pub fn new(name: &str, threads: usize) -> io::Result<Own> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name(name)
            .enable_all()
            .build()?;
        Ok(Own(Some(runtime)))
    }

    /// Runs there, beside everything else.
    pub fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<JoinHandle<T>> {
        self.0.as_ref().map(|runtime| runtime.spawn(work))
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
