//! The walk: which nodes are reached from one, along which edges, how surely.
//!
//! Breadth first, a level at a time. The walk reads nothing itself: it says whose edges it needs next ([`Walk::needs`]), is
//! told them ([`Walk::learn`]), and goes on; so it is a plain function over numbers, and a graph of any size is read only as
//! far as it is reached. A node is visited once for each instant and each way of coming there, so cycles end.
//!
//! Fields and wholes (feature and group, column and table) are more than neighbours:
//! - Down from a whole: its own edges, and those of its fields.
//! - Down from a field: its own edges; then those of its whole, to whom only the whole is known. A target to which an edge of
//!   some field of the same whole leads is known in detail and is not such a one.
//! - Up from a field: its own edges and its whole; of that only its own edges, since what other fields are made of is another
//!   matter. Up from a whole: its own edges, and those of its fields.
//!
//! The step between a field and its whole costs no depth. Going up, time goes back: what a dataset was built from, and a model
//! trained on, is asked as of that moment, along edges that held then.

use std::collections::{HashMap, HashSet};

use crate::catalog::{Link, NodeKind};

/// Which way to walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// To where it comes from.
    Up,
    /// To where it goes.
    Down,
}

/// How surely a node is reached; of several paths the surest counts, of a path its weakest edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Certainty {
    /// Values flow.
    Direct,
    /// Values decide which rows there are, or how they are paired.
    Indirect,
    /// It follows from what was said, unless more than that is known.
    Inferred,
    /// The group is used; whether this feature is, nobody said.
    ColumnUnknown,
}

impl Certainty {
    /// The words that are shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Indirect => "indirect",
            Self::Inferred => "inferred",
            Self::ColumnUnknown => "column unknown",
        }
    }
}

/// An edge on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Step {
    /// The stored edge.
    pub edge: i64,
    /// Where data comes from; not the edge's own source where only the whole is known.
    pub source: i64,
    /// Where it goes.
    pub target: i64,
    /// True if the edge is that of the whole.
    pub column_unknown: bool,
}

/// A node that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// What it is.
    pub kind: NodeKind,
    /// Fewest edges on the way.
    pub depth: u32,
    /// By the surest way.
    pub certainty: Certainty,
}

/// Nodes whose edges are needed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Needs {
    /// Those that leave them.
    pub out: Vec<i64>,
    /// Those that come in.
    pub into: Vec<i64>,
}

impl Needs {
    /// True if nothing is needed.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty() && self.into.is_empty()
    }
}

/// A node on its way through the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Place {
    node: i64,
    /// As of when its edges count; none is now.
    at: Option<i64>,
    /// Reached from its own field or whole.
    by_contains: bool,
}

/// A walk under way.
#[derive(Debug)]
pub struct Walk {
    direction: Direction,
    max_depth: u32,
    depth: u32,
    frontier: Vec<Place>,
    next: Vec<Place>,
    best: HashMap<Place, Certainty>,
    reached: HashMap<i64, Reached>,
    steps: Vec<Step>,
    step_set: HashSet<Step>,
    out: HashMap<i64, Vec<Link>>,
    into: HashMap<i64, Vec<Link>>,
}

impl Walk {
    /// Starts at a node, as of an instant (none is now), and goes so many edges far.
    pub fn new(start: (i64, NodeKind), direction: Direction, at: Option<i64>, max_depth: u32) -> Self {
        let place = Place { node: start.0, at, by_contains: false };
        Self {
            direction,
            max_depth,
            depth: 0,
            frontier: vec![place],
            next: Vec::new(),
            best: HashMap::from([(place, Certainty::Direct)]),
            reached: HashMap::from([(start.0, Reached { kind: start.1, depth: 0, certainty: Certainty::Direct })]),
            steps: Vec::new(),
            step_set: HashSet::new(),
            out: HashMap::new(),
            into: HashMap::new(),
        }
    }

    /// Tells the walk edges it asked for.
    pub fn learn(&mut self, needs: &Needs, out: Vec<Link>, into: Vec<Link>) {
        for node in &needs.out {
            self.out.entry(*node).or_default();
        }
        for node in &needs.into {
            self.into.entry(*node).or_default();
        }
        for link in out {
            self.out.entry(link.source).or_default().push(link);
        }
        for link in into {
            self.into.entry(link.target).or_default().push(link);
        }
    }

    /// Goes on as far as it can, and says what it needs to go further; nothing once it is done.
    pub fn needs(&mut self) -> Needs {
        loop {
            if self.frontier.is_empty() {
                self.depth += 1;
                std::mem::swap(&mut self.frontier, &mut self.next);
            }
            if self.frontier.is_empty() || self.depth >= self.max_depth {
                return Needs::default();
            }
            let needs = self.missing();
            if !needs.is_empty() {
                return needs;
            }
            self.advance();
        }
    }

    /// Nodes that were reached, the start among them.
    pub fn reached(&self) -> &HashMap<i64, Reached> {
        &self.reached
    }

    /// Edges on the way, in the order they were found.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// What the frontier can't go on without.
    fn missing(&self) -> Needs {
        let (mut out, mut into) = (Wanted::new(&self.out), Wanted::new(&self.into));
        for place in &self.frontier {
            let is_field = self.kind(place.node).is_field();
            match self.direction {
                Direction::Down => {
                    let Some(links) = out.get(place.node) else { continue };
                    if is_field && !place.by_contains {
                        self.missing_of_whole(place.node, &mut out, &mut into);
                    } else if !is_field {
                        // Only fields that lead somewhere are shown.
                        links.iter().filter(|link| link.contains).for_each(|link| {
                            out.get(link.target);
                        });
                    }
                }
                Direction::Up => {
                    into.get(place.node);
                    if !is_field && !place.by_contains {
                        let fields = out.get(place.node).into_iter().flatten().filter(|link| link.contains);
                        fields.for_each(|link| {
                            into.get(link.target);
                        });
                    }
                }
            }
        }
        Needs { out: out.missing, into: into.missing }
    }

    /// What has to be known to tell whom only the whole of a field is known to.
    fn missing_of_whole(&self, field: i64, out: &mut Wanted<'_>, into: &mut Wanted<'_>) {
        let wholes = into.get(field).into_iter().flatten().filter(|link| link.contains);
        for whole in wholes.map(|link| link.source) {
            let Some(links) = out.get(whole) else { continue };
            if links.iter().all(|link| link.contains) {
                continue;
            }
            for link in links {
                // Fields, to see where they lead; targets, to see which fields of theirs they lead to.
                out.get(link.target);
            }
        }
    }

    /// Follows the edges of the frontier. Steps that cost no depth stay in it.
    fn advance(&mut self) {
        for place in std::mem::take(&mut self.frontier) {
            let so_far = self.best.get(&place).copied().unwrap_or(Certainty::Direct);
            for (step, link, to) in self.steps_from(place) {
                if self.step_set.insert(step) {
                    self.steps.push(step);
                }
                let certainty = so_far.max(certainty_of(&link, step.column_unknown));
                let depth = if to.by_contains { self.depth } else { self.depth + 1 };
                self.note(to.node, link.far_kind, depth, certainty);
                if self.best.get(&to).is_none_or(|known| certainty < *known) {
                    self.best.insert(to, certainty);
                    if to.by_contains { self.frontier.push(to) } else { self.next.push(to) }
                }
            }
        }
    }

    /// Where one can go from a place.
    fn steps_from(&self, place: Place) -> Vec<(Step, Link, Place)> {
        let holds = |link: &Link| link.contains || held(link, place.at);
        let is_field = self.kind(place.node).is_field();
        let plain = |link: &Link| Step { edge: link.id, source: link.source, target: link.target, column_unknown: false };
        let mut steps = Vec::new();
        match self.direction {
            Direction::Down => {
                for link in self.links(&self.out, place.node).iter().filter(|link| holds(link)) {
                    if link.contains && !self.links(&self.out, link.target).iter().any(|beyond| !beyond.contains && held(beyond, place.at))
                    {
                        continue;
                    }
                    steps.push((plain(link), *link, Place { node: link.target, at: place.at, by_contains: link.contains }));
                }
                if is_field && !place.by_contains {
                    for link in self.users_of_whole(place) {
                        let step = Step { edge: link.id, source: place.node, target: link.target, column_unknown: true };
                        steps.push((step, link, Place { node: link.target, at: place.at, by_contains: false }));
                    }
                }
            }
            Direction::Up => {
                // From a field that was reached from its whole there is no way back to it.
                let leads_back = |link: &Link| link.contains && place.by_contains && is_field;
                for link in self.links(&self.into, place.node).iter().filter(|link| holds(link) && !leads_back(link)) {
                    let at = if link.contains { place.at } else { self.time_before(place, link) };
                    steps.push((plain(link), *link, Place { node: link.source, at, by_contains: link.contains }));
                }
                if !is_field && !place.by_contains {
                    for link in self.links(&self.out, place.node).iter().filter(|link| link.contains) {
                        if self.links(&self.into, link.target).iter().any(|beyond| !beyond.contains && held(beyond, place.at)) {
                            steps.push((plain(link), *link, Place { node: link.target, at: place.at, by_contains: true }));
                        }
                    }
                }
            }
        }
        steps
    }

    /// Edges of the whole of a field to those of whom no field of it is known to be used.
    fn users_of_whole(&self, place: Place) -> Vec<Link> {
        let mut users = Vec::new();
        for whole in self.links(&self.into, place.node).iter().filter(|link| link.contains).map(|link| link.source) {
            let links = self.links(&self.out, whole);
            let fields = links.iter().filter(|link| link.contains).map(|link| link.target);
            // Where fields of this whole lead, directly or through a job.
            let mut known = HashSet::new();
            for link in fields.flat_map(|field| self.links(&self.out, field)).filter(|link| held(link, place.at)) {
                known.extend([link.target, link.job]);
            }
            users.extend(links.iter().filter(|link| !link.contains && held(link, place.at)).filter(|link| {
                let beyond = self.links(&self.out, link.target);
                !known.contains(&link.target) && !beyond.iter().any(|field| field.contains && known.contains(&field.target))
            }));
        }
        users
    }

    /// As of when to ask beyond an edge that is walked up.
    fn time_before(&self, place: Place, link: &Link) -> Option<i64> {
        match self.kind(place.node) {
            // A dataset is what it was built from, a model what it was trained on: later edges are not their matter.
            NodeKind::Dataset | NodeKind::Model => Some(place.at.map_or(link.valid_from, |at| at.min(link.valid_from))),
            _ => place.at,
        }
    }

    fn note(&mut self, node: i64, kind: NodeKind, depth: u32, certainty: Certainty) {
        let reached = self.reached.entry(node).or_insert(Reached { kind, depth, certainty });
        reached.depth = reached.depth.min(depth);
        reached.certainty = reached.certainty.min(certainty);
    }

    fn links<'a>(&self, side: &'a HashMap<i64, Vec<Link>>, node: i64) -> &'a [Link] {
        side.get(&node).map_or(&[], Vec::as_slice)
    }

    fn kind(&self, node: i64) -> NodeKind {
        self.reached.get(&node).map_or(NodeKind::Source, |reached| reached.kind)
    }
}

/// Edges of nodes, and the nodes whose edges were asked for in vain.
struct Wanted<'a> {
    known: &'a HashMap<i64, Vec<Link>>,
    missing: Vec<i64>,
    asked: HashSet<i64>,
}

impl<'a> Wanted<'a> {
    fn new(known: &'a HashMap<i64, Vec<Link>>) -> Self {
        Self { known, missing: Vec::new(), asked: HashSet::new() }
    }

    fn get(&mut self, node: i64) -> Option<&'a Vec<Link>> {
        let links = self.known.get(&node);
        if links.is_none() && self.asked.insert(node) {
            self.missing.push(node);
        }
        links
    }
}

fn held(link: &Link, at: Option<i64>) -> bool {
    match at {
        None => link.valid_to.is_none(),
        Some(at) => link.valid_from <= at && link.valid_to.is_none_or(|end| end > at),
    }
}

fn certainty_of(link: &Link, column_unknown: bool) -> Certainty {
    match (column_unknown, link.inferred, link.indirect) {
        (true, ..) => Certainty::ColumnUnknown,
        (false, true, _) => Certainty::Inferred,
        (false, false, true) => Certainty::Indirect,
        (false, false, false) => Certainty::Direct,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use super::*;

    /// A small world: edges by name, walked the way a store walks them.
    #[derive(Default)]
    struct World {
        kinds: HashMap<i64, NodeKind>,
        links: Vec<Link>,
    }

    impl World {
        fn node(&mut self, id: i64, kind: NodeKind) -> &mut Self {
            self.kinds.insert(id, kind);
            self
        }

        fn edge(&mut self, source: i64, target: i64) -> &mut Link {
            let id = self.links.len() as i64 + 1;
            let far_kind = NodeKind::Source;
            self.links.push(Link {
                id,
                source,
                target,
                contains: false,
                indirect: false,
                inferred: false,
                job: 0,
                valid_from: 0,
                valid_to: None,
                far_kind,
            });
            self.links.last_mut().unwrap()
        }

        fn kind(&self, node: i64) -> NodeKind {
            self.kinds.get(&node).copied().unwrap_or(NodeKind::Source)
        }

        fn walk(&self, start: i64, direction: Direction, at: Option<i64>, depth: u32) -> Walk {
            let mut walk = Walk::new((start, self.kind(start)), direction, at, depth);
            for _ in 0..10_000 {
                let needs = walk.needs();
                if needs.is_empty() {
                    return walk;
                }
                let far = |node: fn(&Link) -> i64| move |link: Link| Link { far_kind: self.kind(node(&link)), ..link };
                let out = self.links.iter().filter(|link| needs.out.contains(&link.source)).copied().map(far(|link| link.target)).collect();
                let into =
                    self.links.iter().filter(|link| needs.into.contains(&link.target)).copied().map(far(|link| link.source)).collect();
                walk.learn(&needs, out, into);
            }
            unreachable!("a walk without end")
        }

        fn reached(&self, start: i64, direction: Direction) -> BTreeSet<i64> {
            self.walk(start, direction, None, u32::MAX).reached().keys().copied().filter(|node| *node != start).collect()
        }
    }

    #[test]
    fn a_cycle_ends_and_reaches_each_node_once() {
        let mut world = World::default();
        for (source, target) in [(1, 2), (2, 3), (3, 1), (3, 3), (3, 4)] {
            world.edge(source, target);
        }
        assert_eq!(world.reached(1, Direction::Down), BTreeSet::from([2, 3, 4]));
        assert_eq!(world.reached(2, Direction::Up), BTreeSet::from([1, 3]));
        assert_eq!(world.walk(1, Direction::Down, None, u32::MAX).steps().len(), 5);
    }

    #[test]
    fn a_diamond_is_as_deep_as_its_shorter_side_and_as_sure_as_its_surer() {
        let mut world = World::default();
        world.edge(1, 2);
        world.edge(2, 4).indirect = true;
        world.edge(1, 3);
        world.edge(3, 5);
        world.edge(5, 4);
        world.edge(4, 6);
        let walk = world.walk(1, Direction::Down, None, u32::MAX);
        let of = |node: i64| (walk.reached()[&node].depth, walk.reached()[&node].certainty);
        assert_eq!(of(4), (2, Certainty::Direct), "short is indirect, long is direct");
        assert_eq!(of(6), (3, Certainty::Direct));
        assert_eq!(of(5), (2, Certainty::Direct));
    }

    #[test]
    fn depth_stops_the_walk() {
        let mut world = World::default();
        for node in 1..10 {
            world.edge(node, node + 1);
        }
        let walk = world.walk(1, Direction::Down, None, 3);
        assert_eq!(walk.reached().keys().copied().collect::<BTreeSet<_>>(), BTreeSet::from([1, 2, 3, 4]));
    }

    /// A group 10 with features 11, 12, 13; 11 goes into dataset 20, the group as a whole into model 30, and a job 40 reads it.
    fn group() -> World {
        let mut world = World::default();
        world.node(10, NodeKind::Group).node(20, NodeKind::Dataset).node(30, NodeKind::Model).node(40, NodeKind::Job);
        for feature in [11, 12, 13] {
            world.node(feature, NodeKind::Feature);
            world.edge(10, feature).contains = true;
        }
        world.edge(11, 20);
        world.edge(10, 30);
        world.edge(10, 40);
        world.edge(40, 50);
        world
    }

    #[test]
    fn a_consumer_of_the_group_is_reached_from_each_feature_as_column_unknown() {
        let world = group();
        let walk = world.walk(12, Direction::Down, None, u32::MAX);
        assert_eq!(world.reached(12, Direction::Down), BTreeSet::from([30, 40, 50]), "the dataset takes another feature");
        assert!([30, 40, 50].iter().all(|node| walk.reached()[node].certainty == Certainty::ColumnUnknown));
        assert!(walk.steps().iter().any(|step| (step.source, step.target, step.column_unknown) == (12, 30, true)));
        assert_eq!(world.reached(11, Direction::Down), BTreeSet::from([20, 30, 40, 50]));
        assert_eq!(world.reached(10, Direction::Down), BTreeSet::from([11, 20, 30, 40, 50]), "features that lead nowhere are not shown");
    }

    #[test]
    fn a_consumer_known_in_detail_is_no_unknown_one() {
        let mut world = group();
        // Job 40 makes 51, a column of 50, of feature 13; so it is known that it does not use 12.
        world.node(51, NodeKind::Column);
        world.edge(50, 51).contains = true;
        world.edge(13, 51).job = 40;
        // Model 30 takes feature 11 alone.
        world.edge(11, 30);
        assert_eq!(world.reached(12, Direction::Down), BTreeSet::new());
        assert_eq!(world.reached(13, Direction::Down), BTreeSet::from([51]));
    }

    #[test]
    fn up_from_a_feature_leads_to_what_its_group_is_loaded_from_but_not_to_what_its_siblings_are_made_of() {
        let mut world = group();
        world.edge(60, 10);
        world.edge(61, 12);
        assert_eq!(world.reached(20, Direction::Up), BTreeSet::from([11, 10, 60]));
        assert_eq!(world.reached(12, Direction::Up), BTreeSet::from([10, 60, 61]));
        assert_eq!(world.reached(30, Direction::Up), BTreeSet::from([10, 12, 60, 61]), "the whole group was taken");
    }

    #[test]
    fn a_model_is_followed_along_the_edges_that_held_when_it_was_trained() {
        let mut world = World::default();
        world.node(1, NodeKind::Feature).node(2, NodeKind::Dataset).node(3, NodeKind::Model);
        world.edge(1, 2).valid_from = 100;
        world.edge(2, 3).valid_from = 200;
        let old = world.edge(7, 1);
        (old.valid_from, old.valid_to) = (10, Some(150));
        world.edge(8, 1).valid_from = 150;
        assert_eq!(world.reached(3, Direction::Up), BTreeSet::from([2, 1, 7]));
        assert_eq!(world.reached(1, Direction::Up), BTreeSet::from([8]), "today it is made of something else");
        let then = world.walk(7, Direction::Down, Some(120), u32::MAX);
        assert_eq!(then.reached().keys().copied().collect::<BTreeSet<_>>(), BTreeSet::from([7, 1, 2]));
        assert_eq!(world.reached(7, Direction::Down), BTreeSet::new());
    }

    #[test]
    fn walks_agree_with_a_search_that_follows_every_path() {
        use rand::{Rng, SeedableRng};
        let mut random = rand::rngs::StdRng::seed_from_u64(7);
        for _ in 0..40 {
            let mut world = World::default();
            let nodes = 12;
            for _ in 0..random.random_range(5..30) {
                let ends = (random.random_range(0..nodes), random.random_range(0..nodes));
                let link = world.edge(ends.0, ends.1);
                link.indirect = random.random_bool(0.3);
                link.inferred = random.random_bool(0.1);
                link.valid_to = random.random_bool(0.2).then_some(5);
            }
            for start in 0..nodes {
                let walk = world.walk(start, Direction::Down, None, u32::MAX);
                // Bellman and Ford: relax every edge as often as there are nodes.
                let mut slow: HashMap<i64, (u32, Certainty)> = HashMap::from([(start, (0, Certainty::Direct))]);
                for _ in 0..nodes {
                    for link in world.links.iter().filter(|link| link.valid_to.is_none()) {
                        let Some((depth, certainty)) = slow.get(&link.source).copied() else { continue };
                        let through = (depth + 1, certainty.max(certainty_of(link, false)));
                        let known = slow.entry(link.target).or_insert(through);
                        *known = (known.0.min(through.0), known.1.min(through.1));
                    }
                }
                let found: HashMap<i64, (u32, Certainty)> =
                    walk.reached().iter().map(|(node, reached)| (*node, (reached.depth, reached.certainty))).collect();
                assert_eq!(found, slow);
            }
        }
    }
}
