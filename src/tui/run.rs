//! The loop: signals, then input, then answers of jobs, then the frame that is due.
//!
//! There is no tick. A frame is drawn after something happened, at most one every 16 ms; between two keys nothing wakes the process
//! and nothing is written, except while something moves on the screen by itself (a spinner, the end of a message), for which the model
//! names the moment. Everything that is ready is taken in before a frame is drawn, so a burst of keys costs one frame.
//!
//! What a person does is answered first: a key does not wait for a frame that was drawn for anything else, and what it asks of the store is
//! asked once its own frame stands, so that a search takes no processor from it.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crossterm::event::{Event, EventStream};
use futures::{Stream, StreamExt};
use rustix::process::{Signal, getpgrp, getsid, kill_current_process_group};
use tokio::signal::unix::{Signal as SignalStream, SignalKind, signal};
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, sleep_until, timeout};

use super::input;
use super::jobs::Jobs;
use super::live::Live;
use super::model::Model;
use super::msg::{Effect, Msg, Request, Slot};
use super::preferences::Preferences;
use super::source::Source;
use super::term::{self, Screen};
use super::units::Micros;
use super::update::{Start, begin, start, update};
use super::view::{Look, draw};
use crate::model::{Error, ErrorKind, Result};

/// Least time between two frames.
const FRAME: Duration = Duration::from_millis(16);
/// Most messages taken in before a frame is drawn.
const BATCH: usize = 256;
/// How long a stopped process may take to notice that it was woken.
const WAKE_GRACE: Duration = Duration::from_millis(500);

/// What the browser runs with.
pub(super) struct Setting {
    /// Where the data comes from.
    pub(super) source: Arc<dyn Source>,
    /// Refuse what changes the store.
    pub(super) read_only: bool,
    /// What a person set: keys, colours, and what was left the last time.
    pub(super) preferences: Preferences,
    /// Where to begin.
    pub(super) start: Start,
    /// How it is drawn.
    pub(super) look: Look,
    /// The clock.
    pub(super) clock: Box<dyn Fn() -> Micros + Send + Sync>,
}

/// Runs until the person quits or a signal ends it.
pub(super) async fn run(setting: Setting) -> Result<()> {
    let mut signals = Signals::listen()?;
    let place = setting.source.place();
    let folder = setting.source.folder().map(|folder| folder.to_string_lossy().into_owned()).unwrap_or_default();
    let mut screen = Screen::take(&format!("larder {place}"))?;
    let (jobs, answers) = Jobs::new(setting.source.clone());
    let _live = Live::watch(setting.source, jobs.sender());
    let mut model = Model::new(place, setting.read_only, screen.size(), (setting.clock)());
    setting.preferences.apply(&mut model, &folder);
    begin(&mut model, setting.start);
    if model.mouse {
        screen.set_mouse(true)?;
    }
    let (look, clock) = (setting.look, setting.clock);
    let mut browser = Browser { model, look, clock, screen, jobs, asks: Vec::new(), frames: Frames::new(), suspended: false };
    let ended = browser.run(&mut signals, answers).await;
    setting.preferences.keep(&browser.model, &folder);
    ended
}

struct Browser {
    model: Model,
    look: Look,
    clock: Box<dyn Fn() -> Micros + Send + Sync>,
    screen: Screen,
    jobs: Jobs,
    /// What is to be asked once the frame stands.
    asks: Vec<Asked>,
    frames: Frames,
    /// Set when the person asked for the shell.
    suspended: bool,
}

/// What a job is to do.
enum Asked {
    Start(Slot, u64, Request),
    Stop(Slot),
}

/// When frames were drawn, and whether another is due.
struct Frames {
    /// The last one.
    drawn: Instant,
    /// The last one that answered a person.
    answered: Instant,
    /// Something happened that no frame shows yet.
    dirty: bool,
    /// A person did something that no frame shows yet.
    acted: bool,
}

impl Frames {
    fn new() -> Self {
        let now = Instant::now();
        Self { drawn: now, answered: now, dirty: false, acted: false }
    }

    /// When the next one is due; none if nothing happened.
    fn due(&self) -> Option<Instant> {
        self.dirty.then(|| if self.acted { self.answered } else { self.drawn } + FRAME)
    }

    fn stands(&mut self) {
        self.drawn = Instant::now();
        if self.acted {
            self.answered = self.drawn;
        }
        (self.dirty, self.acted) = (false, false);
    }
}

/// What ended a wait.
enum Happened {
    Ended(ErrorKind, &'static str),
    Stop,
    Input(Option<std::io::Result<Event>>),
    Said(Msg),
    FrameDue,
    WakeDue,
}

impl Browser {
    async fn run(&mut self, signals: &mut Signals, mut answers: Receiver<Msg>) -> Result<()> {
        let mut events = EventStream::new();
        // The first frame stands before the first question is asked.
        self.draw()?;
        let effects = start(&mut self.model);
        self.carry_out(effects)?;
        self.ask();
        while !self.model.quit {
            let wake = self.wake();
            let due = self.frames.due();
            let happened = tokio::select! {
                biased;
                happened = signals.next() => happened,
                event = events.next() => Happened::Input(event),
                Some(msg) = answers.recv() => Happened::Said(msg),
                () = until(due) => Happened::FrameDue,
                () = until(wake) => Happened::WakeDue,
            };
            match happened {
                Happened::Ended(kind, what) => return Err(Error::new(kind, what)),
                Happened::Stop => self.suspended = true,
                Happened::Input(event) => self.read(event)?,
                Happened::Said(msg) => self.take(msg)?,
                Happened::FrameDue => {}
                Happened::WakeDue => self.take(Msg::Wake)?,
            }
            for _ in 0..BATCH {
                match ready(&mut events).await {
                    Some(event) => self.read(event)?,
                    None => match answers.try_recv() {
                        Ok(msg) => self.take(msg)?,
                        Err(_) => break,
                    },
                }
            }
            if self.suspended {
                // A live stream would go on reading keys that are meant for the shell.
                drop(events);
                self.suspend(signals).await?;
                events = EventStream::new();
                self.frames.dirty = true;
            }
            if self.frames.due().is_some_and(|due| due <= Instant::now()) && !self.model.quit {
                self.draw()?;
            }
            self.ask();
        }
        Ok(())
    }

    fn read(&mut self, event: Option<std::io::Result<Event>>) -> Result<()> {
        match event {
            Some(Ok(event)) => match input::message(event) {
                Some(msg) => {
                    self.frames.acted = true;
                    self.take(msg)
                }
                None => Ok(()),
            },
            Some(Err(error)) => Err(Error::io("the terminal can't be read", error)),
            None => Err(Error::new(ErrorKind::Terminated, "the terminal was closed")),
        }
    }

    /// Lets a message change the model; the screen is due then.
    fn take(&mut self, msg: Msg) -> Result<()> {
        self.frames.dirty = true;
        self.model.now = (self.clock)();
        let effects = term::at_work(|| update(&mut self.model, msg));
        self.carry_out(effects)
    }

    fn carry_out(&mut self, effects: Vec<Effect>) -> Result<()> {
        for effect in effects {
            match effect {
                Effect::Ask(slot, generation, request) => self.asks.push(Asked::Start(slot, generation, request)),
                Effect::Stop(slot) => self.asks.push(Asked::Stop(slot)),
                Effect::Copy(text) => self.screen.copy(&text)?,
                Effect::Redraw => self.screen.forget()?,
                Effect::Mouse(taken) => self.screen.set_mouse(taken)?,
                Effect::Suspend => self.suspended = true,
            }
        }
        Ok(())
    }

    /// Starts and stops jobs as was asked since the last time, in that order.
    fn ask(&mut self) {
        for asked in self.asks.drain(..) {
            match asked {
                Asked::Start(slot, generation, request) => self.jobs.start(slot, generation, request),
                Asked::Stop(slot) => self.jobs.stop(slot),
            }
        }
    }

    fn draw(&mut self) -> Result<()> {
        self.model.now = (self.clock)();
        let (model, look) = (&self.model, &self.look);
        let screen = &mut self.screen;
        term::at_work(|| screen.draw(|frame| draw(model, look, frame)))?;
        self.frames.stands();
        Ok(())
    }

    /// When the model wants to be woken, on the runtime's clock.
    fn wake(&self) -> Option<Instant> {
        let at = self.model.next_wake()?;
        let wait = u64::try_from(at.saturating_sub((self.clock)())).unwrap_or(0);
        Some(Instant::now() + Duration::from_micros(wait))
    }

    /// Stops the process group, as Ctrl-Z does, and takes the terminal back when it goes on.
    async fn suspend(&mut self, signals: &mut Signals) -> Result<()> {
        self.suspended = false;
        if self.model.read_only && !is_a_job_of_a_shell() {
            return Ok(());
        }
        term::give_back();
        let stopped = kill_current_process_group(Signal::STOP);
        if stopped.is_ok() {
            // The kernel may let this thread run on for a moment before it stops it: taking the screen now would leave it taken.
            let _ = timeout(WAKE_GRACE, signals.woken.recv()).await;
        }
        self.screen.take_again(self.model.mouse)?;
        self.model.size = self.screen.size();
        Ok(())
    }
}

/// True if a shell waits for this program and could wake it again. As the forced command of an ssh account it is none's job: who stops it
/// there would look at a dead screen.
fn is_a_job_of_a_shell() -> bool {
    getsid(None).is_ok_and(|leader| leader != getpgrp())
}

/// Waits until then; for ever without a moment.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// The next event, if one is ready now. Polled with the task's own waker: the stream keeps the first waker it is given.
async fn ready(events: &mut EventStream) -> Option<Option<std::io::Result<Event>>> {
    poll_fn(|context| match Pin::new(&mut *events).poll_next(context) {
        Poll::Ready(event) => Poll::Ready(Some(event)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// The signals that end or stop a browser.
struct Signals {
    terminated: SignalStream,
    hung_up: SignalStream,
    interrupted: SignalStream,
    stop: SignalStream,
    woken: SignalStream,
}

impl Signals {
    fn listen() -> Result<Self> {
        let listen = |kind| signal(kind).map_err(|error| Error::io("can't listen to signals", error));
        Ok(Self {
            terminated: listen(SignalKind::terminate())?,
            hung_up: listen(SignalKind::hangup())?,
            interrupted: listen(SignalKind::interrupt())?,
            stop: listen(SignalKind::from_raw(libc::SIGTSTP))?,
            woken: listen(SignalKind::from_raw(libc::SIGCONT))?,
        })
    }

    async fn next(&mut self) -> Happened {
        tokio::select! {
            biased;
            _ = self.terminated.recv() => Happened::Ended(ErrorKind::Terminated, "terminated"),
            _ = self.hung_up.recv() => Happened::Ended(ErrorKind::Terminated, "the terminal was closed"),
            _ = self.interrupted.recv() => Happened::Ended(ErrorKind::Interrupted, "interrupted"),
            _ = self.stop.recv() => Happened::Stop,
        }
    }
}
