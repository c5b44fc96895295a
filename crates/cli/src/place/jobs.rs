//! Jobs, and waiting for them.

use std::time::Duration;

use ficha_client::admin::Job;
use ficha_server::views::JobView;
use indicatif::{ProgressBar, ProgressStyle};
use uuid::Uuid;

use super::{Items, PAGE, Part, Place, asked, id, shown};
use crate::admin_context::actor;
use crate::error::CliError;
use crate::input_error::InputError;

/// How often a job that is waited for is looked at.
const LOOK: Duration = Duration::from_millis(200);

impl Place {
    /// Jobs, the newest first.
    pub async fn jobs(&self, part: Part) -> Result<Vec<Job>, CliError> {
        part.read(async |after, left| match self {
            Self::Here(context) => {
                let (after, limit) = (after.as_deref().map(id).transpose()?, left.min(PAGE));
                let page = context.admin.jobs(&actor(), after, limit).await?;
                let next = page.last().map(|job| job.id.to_string()).filter(|_| page.len() as u64 == limit);
                let items = page.into_iter().map(|job| shown(JobView::from(job))).collect::<Result<_, _>>()?;
                Ok(Items { items, next })
            }
            Self::There(remote) => Ok(remote.client.jobs(after.as_deref(), asked(left)).await?.into()),
        })
        .await
    }

    /// One job.
    pub async fn job(&self, id: Uuid) -> Result<Job, CliError> {
        match self {
            Self::Here(context) => shown(JobView::from(context.admin.job(&actor(), id).await?)),
            Self::There(remote) => Ok(remote.client.job(&id.to_string()).await?),
        }
    }

    /// Stops a job.
    pub async fn stop_job(&self, id: Uuid) -> Result<Job, CliError> {
        match self {
            Self::Here(context) => shown(JobView::from(context.admin.stop_job(&actor(), id).await?)),
            Self::There(remote) => Ok(remote.client.stop_job(&id.to_string()).await?),
        }
    }

    /// Waits for a job that was just accepted, and shows its progress. Here, this process works on it, too; if a server is
    /// faster, that does the work.
    pub async fn wait_for_job(&self, id: Uuid) -> Result<Job, CliError> {
        let work = async {
            match self {
                Self::Here(context) => Ok(context.admin.run_job(id).await?),
                Self::There(_) => Ok(()),
            }
        };
        let ((), job) = tokio::try_join!(work, self.watch_job(id))?;
        completed(job)
    }

    /// Waits until a job is over. The bar is drawn on a terminal only, and vanishes at the end.
    async fn watch_job(&self, id: Uuid) -> Result<Job, CliError> {
        let bar = ProgressBar::new(0);
        let style = ProgressStyle::with_template("{msg} {wide_bar} {pos} of {len}, {eta} left");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        loop {
            let job = self.job(id).await.inspect_err(|_| bar.finish_and_clear())?;
            bar.set_length(job.total.saturating_sub(job.failed));
            bar.set_position(job.done);
            bar.set_message(job.kind.replace('_', " "));
            if job.finished_at.is_some() {
                bar.finish_and_clear();
                return Ok(job);
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// The id of a job, as a server has named it.
pub fn job_id(text: &str) -> Result<Uuid, CliError> {
    let bad = |_| ficha_client::Error::BadAnswer(format!("{text:?} is not the id of a job"));
    text.parse().map_err(bad).map_err(CliError::Client)
}

/// How many items it has changed.
pub fn changed(job: &Job) -> u64 {
    job.done.saturating_sub(job.unchanged)
}

/// An error if it was not completed.
fn completed(job: Job) -> Result<Job, CliError> {
    match (&*job.state, &job.error) {
        ("done", _) => Ok(job),
        (state, why) => {
            let why = why.clone().unwrap_or_else(|| "no reason was given".into());
            Err(InputError::JobNotDone { id: job.id.clone(), state: state.to_owned(), why }.into())
        }
    }
}
