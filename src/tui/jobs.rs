//! Questions to the store, answered beside the browser.
//!
//! A slot runs one job at a time: asking again stops the older job at its next await and its answer, should it still come, bears an
//! older generation and is dropped by the update. Filling the demo is the one job that is never stopped, because it writes. The channel is
//! bounded: a job that talks faster than the screen can listen waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::AbortHandle;

use super::model::remote::ErrorText;
use super::model::{catalog, datasets, edits, files, jobs, lineage, overview, rows, sql, statistics, writes};
use super::msg::{Msg, News, Request, Slot};
use super::source::Source;
use crate::model::Error;

/// Messages under way at most.
const CAPACITY: usize = 256;

/// The jobs of a browser.
pub(super) struct Jobs {
    source: Arc<dyn Source>,
    sender: Sender<Msg>,
    running: [Option<AbortHandle>; Slot::COUNT],
    /// Raised to end a job that writes at its next safe place.
    stops: [Arc<AtomicBool>; Slot::COUNT],
}

impl Jobs {
    /// Jobs on a store, and where their messages come out.
    pub(super) fn new(source: Arc<dyn Source>) -> (Self, Receiver<Msg>) {
        let (sender, receiver) = channel(CAPACITY);
        (Self { source, sender, running: Default::default(), stops: Default::default() }, receiver)
    }

    /// Where messages that no job brings are put in.
    pub(super) fn sender(&self) -> Sender<Msg> {
        self.sender.clone()
    }

    /// True while a job runs.
    #[cfg(test)]
    pub(super) fn busy(&self) -> bool {
        self.running.iter().flatten().any(|job| !job.is_finished())
    }

    /// Stops the job of a slot; one that writes ends at its next safe place and says so itself.
    pub(super) fn stop(&mut self, slot: Slot) {
        match slot.writes() {
            true => self.stops[slot as usize].store(true, Ordering::Relaxed),
            false => self.running[slot as usize].iter().for_each(AbortHandle::abort),
        }
    }

    /// Starts a job in a slot.
    pub(super) fn start(&mut self, slot: Slot, generation: u64, request: Request) {
        let running = &mut self.running[slot as usize];
        if let Some(older) = running.take()
            && !slot.writes()
        {
            older.abort();
        }
        let stop: Arc<AtomicBool> = Arc::default();
        self.stops[slot as usize] = stop.clone();
        let voice = Voice { sender: self.sender.clone(), slot, generation, stop };
        let failed = failure_of(&request);
        let job = tokio::spawn(answer(self.source.clone(), request, voice.clone()));
        *running = Some(job.abort_handle());
        tokio::spawn(async move {
            // A panic of a job is that job's failure: the pane says so and the browser lives on.
            if let Err(end) = job.await
                && end.is_panic()
            {
                let error = Error::internal("the job stopped with an internal error").remedy("please report what you did");
                voice.say(failed(ErrorText::from(&error))).await;
            }
        });
    }
}

impl Drop for Jobs {
    fn drop(&mut self) {
        for job in self.running.iter().flatten() {
            job.abort();
        }
    }
}

/// How a job talks to the browser.
#[derive(Clone)]
pub(crate) struct Voice {
    sender: Sender<Msg>,
    slot: Slot,
    generation: u64,
    stop: Arc<AtomicBool>,
}

impl Voice {
    /// Raised when a job that writes shall end at its next safe place.
    pub(crate) fn stop(&self) -> &Arc<AtomicBool> {
        &self.stop
    }

    /// Says something; waits while the browser is busy.
    pub(crate) async fn say(&self, news: News) {
        // The browser may have closed; then nobody listens and nobody minds.
        let _ = self.sender.send(Msg::News(self.slot, self.generation, news)).await;
    }

    /// Says something that may be lost when the browser is busy, from a callback that can't wait.
    pub(crate) fn mention(&self, news: News) {
        let _ = self.sender.try_send(Msg::News(self.slot, self.generation, news));
    }
}

fn failure_of(request: &Request) -> fn(ErrorText) -> News {
    match request {
        Request::Groups => |error| News::Groups(Err(error)),
        Request::Summaries(_) => |error| News::Summaries(Err(error)),
        Request::Identifiers { .. } => |error| News::Identifiers(Err(error)),
        Request::Record { .. } => |error| News::Record(Err(error)),
        Request::FillDemo => |error| News::DemoDone(Err(error)),
        Request::Lineage(_) => |error| News::Lineage(lineage::Answer::Failed(error)),
        Request::Sql(_) => |error| News::Sql(sql::Answer::Failed(error)),
        Request::Datasets(_) => |error| News::Datasets(datasets::Answer::Failed(error)),
        Request::Jobs(_) => |error| News::Jobs(jobs::Answer::Failed(error)),
        Request::Statistics(_) => |error| News::Statistics(statistics::Answer::Failed(error)),
        Request::Edits(_) => |error| News::Edits(edits::Answer::Failed(error)),
        Request::Rows(_) => |error| News::Rows(rows::Answer::Failed(error)),
        Request::Files(_) => |error| News::Files(files::Answer::Of(Err(error))),
        Request::Overview(overview::Question::Known(_)) => |error| News::Overview(overview::Answer::Known(Err(error))),
        Request::Overview(overview::Question::Check(_)) => |error| News::Overview(overview::Answer::Checked(Err(error))),
        Request::Writes(_) => |error| News::Writes(writes::Answer::Failed(error)),
        Request::Catalog(catalog::Question::Evidence) => |error| News::Catalog(catalog::Answer::Evidence(Err(error))),
        Request::Catalog(catalog::Question::Gather(..) | catalog::Question::Stand(..)) => {
            |error| News::Catalog(catalog::Answer::Gathered(Err(error)))
        }
        Request::Catalog(catalog::Question::Find(..)) => |error| News::Catalog(catalog::Answer::Found(Err(error))),
        Request::Catalog(catalog::Question::Figures(_)) => |error| News::Catalog(catalog::Answer::Figures(Err(error))),
    }
}

async fn answer(source: Arc<dyn Source>, request: Request, voice: Voice) {
    let text = |error: Error| ErrorText::from(&error);
    let news = match request {
        Request::Groups => News::Groups(source.groups().await.map_err(text)),
        Request::Identifiers { group, prefix } => News::Identifiers(source.identifiers(&group, &prefix).await.map_err(text)),
        Request::Record { group, identifier } => News::Record(source.record(&group, &identifier).await.map_err(text)),
        Request::Summaries(groups) => {
            let summaries = source.summaries(&groups).await;
            let each = |(name, summary): (String, crate::model::Result<_>)| (name, summary.map_err(text));
            News::Summaries(summaries.map(|summaries| summaries.into_iter().map(each).collect()).map_err(text))
        }
        Request::FillDemo => {
            let progress = voice.clone();
            let filled = source.fill_demo(voice.stop().clone(), Box::new(move |step| progress.mention(News::DemoProgress(step)))).await;
            News::DemoDone(filled.map_err(text))
        }
        Request::Lineage(question) => News::Lineage(source.answer_lineage(question, &voice).await),
        Request::Sql(question) => News::Sql(source.answer_sql(question, &voice).await),
        Request::Datasets(question) => News::Datasets(source.answer_datasets(question, &voice).await),
        Request::Jobs(question) => News::Jobs(source.answer_jobs(question, &voice).await),
        Request::Statistics(question) => News::Statistics(source.answer_statistics(question, &voice).await),
        Request::Edits(question) => News::Edits(source.answer_edits(question).await),
        Request::Rows(question) => News::Rows(source.answer_rows(question, &voice).await),
        Request::Files(question) => News::Files(source.answer_files(question).await),
        Request::Overview(question) => News::Overview(source.answer_overview(question).await),
        Request::Writes(question) => News::Writes(source.answer_writes(question).await),
        Request::Catalog(question) => match source.answer_catalog(question, &voice).await {
            Some(answer) => News::Catalog(answer),
            // A newer question is being answered instead.
            None => return,
        },
    };
    voice.say(news).await;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use crate::model::{FeatureGroup, Result};
    use crate::tui::listing::Listing;
    use crate::tui::model::data::{DemoProgress, Found, Origins, Summary};
    use async_trait::async_trait;
    use tokio::sync::Notify;

    /// Answers identifiers once it is let, and panics on groups.
    #[derive(Default)]
    struct Odd {
        let_go: Notify,
    }

    #[async_trait]
    impl Source for Odd {
        fn place(&self) -> String {
            "odd".to_owned()
        }
        async fn groups(&self) -> Result<(Arc<Listing>, Origins)> {
            panic!("a bug")
        }
        async fn summaries(&self, _: &[Arc<FeatureGroup>]) -> Result<Vec<(String, Result<Summary>)>> {
            Err(Error::corrupt("catalog.db"))
        }
        async fn identifiers(&self, _: &str, prefix: &str) -> Result<Vec<String>> {
            self.let_go.notified().await;
            Ok(vec![prefix.to_owned()])
        }
        async fn record(&self, _: &str, _: &str) -> Result<Found> {
            Ok(Found::default())
        }
        async fn fill_demo(&self, stop: Arc<AtomicBool>, progress: Box<dyn Fn(DemoProgress) + Send + Sync>) -> Result<()> {
            while !stop.load(Ordering::Relaxed) {
                progress(DemoProgress::default());
                tokio::task::yield_now().await;
            }
            Err(Error::interrupted("the demo is not complete"))
        }
    }

    #[async_trait]
    impl crate::tui::source::lineage::LineageSource for Odd {
        async fn answer_lineage(&self, _: lineage::Question, _: &Voice) -> lineage::Answer {
            lineage::Answer::Failed(ErrorText::from(&Error::internal("not asked")))
        }
    }

    #[async_trait]
    impl crate::tui::source::sql::SqlSource for Odd {
        async fn answer_sql(&self, _: sql::Question, _: &Voice) -> sql::Answer {
            sql::Answer::Failed(ErrorText::from(&Error::internal("not asked")))
        }
    }

    #[async_trait]
    impl crate::tui::source::datasets::DatasetsSource for Odd {
        async fn answer_datasets(&self, _: datasets::Question, _: &Voice) -> datasets::Answer {
            datasets::Answer::Failed(ErrorText::from(&Error::internal("not asked")))
        }
    }

    #[async_trait]
    impl crate::tui::source::jobs::JobsSource for Odd {
        async fn answer_jobs(&self, _: jobs::Question, _: &Voice) -> jobs::Answer {
            jobs::Answer::Failed(ErrorText::from(&Error::internal("not asked")))
        }
    }

    #[async_trait]
    impl crate::tui::source::statistics::StatisticsSource for Odd {
        async fn answer_statistics(&self, _: statistics::Question, _: &Voice) -> statistics::Answer {
            statistics::Answer::Failed(ErrorText::from(&Error::internal("not asked")))
        }
    }

    #[async_trait]
    impl crate::tui::source::catalog::CatalogSource for Odd {
        async fn answer_catalog(&self, _: catalog::Question, _: &Voice) -> Option<catalog::Answer> {
            None
        }
    }

    #[async_trait]
    impl crate::tui::source::rows::RowsSource for Odd {
        async fn answer_rows(&self, _: rows::Question, _: &Voice) -> rows::Answer {
            rows::Answer::Failed(ErrorText::from(&Error::internal("not asked")))
        }
    }

    #[async_trait]
    impl crate::tui::source::files::FilesSource for Odd {
        async fn answer_files(&self, _: files::Question) -> files::Answer {
            files::Answer::Of(Err(ErrorText::from(&Error::internal("not asked"))))
        }
    }

    #[async_trait]
    impl crate::tui::source::overview::OverviewSource for Odd {
        async fn answer_overview(&self, _: overview::Question) -> overview::Answer {
            overview::Answer::Known(Err(ErrorText::from(&Error::internal("not asked"))))
        }
    }

    #[async_trait]
    impl crate::tui::source::writes::WritesSource for Odd {
        async fn answer_writes(&self, _: writes::Question) -> writes::Answer {
            writes::Answer::Failed(ErrorText::from(&Error::internal("not asked")))
        }
    }

    #[async_trait]
    impl crate::tui::source::edits::EditsSource for Odd {
        async fn answer_edits(&self, _: edits::Question) -> edits::Answer {
            edits::Answer::Failed(ErrorText::from(&Error::internal("not asked")))
        }
    }

    #[tokio::test]
    async fn a_panic_of_a_job_is_its_failure_and_not_the_end() {
        let (mut jobs, mut said) = Jobs::new(Arc::new(Odd::default()));
        jobs.start(Slot::Groups, 1, Request::Groups);
        let Some(Msg::News(Slot::Groups, 1, News::Groups(Err(error)))) = said.recv().await else { panic!("no failure") };
        assert!(error.what.contains("internal error"));
        jobs.start(Slot::Record, 1, Request::Record { group: String::new(), identifier: String::new() });
        assert!(matches!(said.recv().await, Some(Msg::News(Slot::Record, 1, News::Record(Ok(_))))));
    }

    #[tokio::test]
    async fn asking_again_stops_the_older_question() {
        let odd = Arc::new(Odd::default());
        let (mut jobs, mut said) = Jobs::new(odd.clone());
        for (generation, prefix) in [(1, "C"), (2, "C0"), (3, "C00")] {
            let request = Request::Identifiers { group: String::new(), prefix: prefix.to_owned() };
            jobs.start(Slot::Identifiers, generation, request);
        }
        tokio::task::yield_now().await;
        odd.let_go.notify_one();
        let Some(Msg::News(Slot::Identifiers, 3, News::Identifiers(Ok(found)))) = said.recv().await else { panic!("no answer") };
        assert_eq!(found, ["C00"]);
        assert!(said.try_recv().is_err(), "nobody else answers");
    }

    #[tokio::test]
    async fn the_demo_ends_when_it_is_told_to_and_says_so() {
        let (mut jobs, mut said) = Jobs::new(Arc::new(Odd::default()));
        jobs.start(Slot::Demo, 1, Request::FillDemo);
        assert!(matches!(said.recv().await, Some(Msg::News(Slot::Demo, 1, News::DemoProgress(_)))));
        jobs.stop(Slot::Demo);
        loop {
            match said.recv().await {
                Some(Msg::News(_, _, News::DemoDone(Err(_)))) => return,
                Some(Msg::News(_, _, News::DemoProgress(_))) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}
