//! The thread that trains models. Its priority is lower than that of all others, so that on a busy machine learning waits for
//! logins and no login for learning.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use tokio::sync::oneshot;

use crate::EngineError;

/// setpriority(2): a tenth of the time that a busy neighbour gets, where others have 0.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

type Job = Box<dyn FnOnce() + Send>;

/// The way to the thread. It ends when this is dropped.
pub(crate) struct TrainingThread(Sender<Job>);

impl TrainingThread {
    /// Starts the thread.
    pub(crate) fn start() -> Self {
        let (jobs, waiting) = channel::<Job>();
        let work = move || {
            step_back();
            for job in waiting {
                job();
            }
        };
        // Without a thread every training fails with an error, which its caller logs.
        if let Err(error) = thread::Builder::new().name("keyward-train".to_owned()).spawn(work) {
            tracing::error!(%error, "no training thread could be started");
        }
        Self(jobs)
    }

    /// Runs on the thread what may take milliseconds.
    ///
    /// # Errors
    /// [`EngineError::Internal`] when it panicked, or there is no thread.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, EngineError> {
        let (done, result) = oneshot::channel();
        let job = move || {
            // The thread outlives what it ran. Who asked may have gone.
            let _ = done.send(catch_unwind(AssertUnwindSafe(work)));
        };
        self.0.send(Box::new(job)).map_err(|_| stopped())?;
        let finished = result.await.map_err(|_| stopped())?;
        finished.map_err(|_| EngineError::Internal("training panicked".to_owned()))
    }
}

/// Lowers the priority of this thread. Elsewhere than on Linux the call is about the whole process; there, training competes.
fn step_back() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::warn!(%error, "the training thread has no lower priority");
    }
}

fn stopped() -> EngineError {
    EngineError::Internal("the training thread has stopped".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_and_the_thread_goes_on() {
        let training = TrainingThread::start();
        let panicked = training.run(|| panic!("as a test")).await.map(|()| 0);
        assert!(matches!(panicked, Err(EngineError::Internal(message)) if message.contains("panicked")));
        assert_eq!(training.run(|| 6 * 7).await.unwrap(), 42);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn logins_go_first() {
        let niceness = || {
            let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
            let after_name = stat.rsplit_once(')').unwrap().1;
            // proc_pid_stat(5): the 19th field; the name is the second.
            after_name.split_whitespace().nth(16).unwrap().parse::<i32>().unwrap()
        };
        let here = niceness();
        let there = TrainingThread::start().run(niceness).await.unwrap();
        assert!(there > here || here >= NICENESS, "{there} beside {here}");
    }
}
