//! GEOSEARCH, GEOSEARCHSTORE, GEORADIUS, GEORADIUSBYMEMBER and their read-only forms.

use proto::resp::Replies;

use super::{metres, position, write_distance, write_position};
use crate::commands::args::{self, is};
use crate::commands::zsets::store;
use crate::core::{Key, Unit};
use crate::number::geohash::{Position, Shape, integer_of};
use crate::number::parse_f64;
use crate::refusal::Refusal;
use crate::state::zset::ZSetValue;

/// How a command says what to search.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// By options.
    Search,
    /// By options, storing the result.
    SearchStore,
    /// By leading arguments: a position, or a member.
    Radius { member: bool, may_store: bool },
}

struct Found {
    member: Vec<u8>,
    score: f64,
    at: Position,
    /// In the request's unit.
    distance: f64,
}

#[derive(Default)]
struct Request<'a> {
    centre: Option<Position>,
    shape: Option<Shape>,
    metres: f64,
    count: usize,
    any: bool,
    /// `Some(true)`: farthest first.
    order: Option<bool>,
    with_distance: bool,
    with_hash: bool,
    with_position: bool,
    store: Option<&'a [u8]>,
    store_distance: bool,
}

fn length(arg: &[u8], missing: &'static str) -> Result<f64, Refusal> {
    parse_f64(arg).ok_or(Refusal::Text(missing))
}

fn circle(radius: &[u8], unit: &[u8]) -> Result<(Shape, f64), Refusal> {
    let radius = length(radius, "ERR need numeric radius")?;
    if radius < 0.0 {
        return Err(Refusal::Text("ERR radius cannot be negative"));
    }
    let metres = metres(unit)?;
    Ok((Shape::Circle { radius: radius * metres }, metres))
}

fn rectangle(width: &[u8], height: &[u8], unit: &[u8]) -> Result<(Shape, f64), Refusal> {
    let width = length(width, "ERR need numeric width")?;
    let height = length(height, "ERR need numeric height")?;
    if width < 0.0 || height < 0.0 {
        return Err(Refusal::Text("ERR height or width cannot be negative"));
    }
    let metres = metres(unit)?;
    Ok((Shape::Box { width: width * metres, height: height * metres }, metres))
}

/// A member's position; `None` without a key.
fn of_member(zset: Option<&ZSetValue>, member: &[u8]) -> Result<Option<Position>, Refusal> {
    let Some(zset) = zset else { return Ok(None) };
    let score = zset.score(member).ok_or(Refusal::Text("ERR could not decode requested zset member"))?;
    Ok(Some(Position::of_score(score)))
}

fn parse<'a>(zset: Option<&ZSetValue>, args: &[&'a [u8]], form: Form) -> Result<Request<'a>, Refusal> {
    let mut request = Request { metres: 1.0, ..Request::default() };
    let mut rest = match form {
        Form::Search => &args[2..],
        Form::SearchStore => {
            request.store = Some(args[1]);
            &args[3..]
        }
        Form::Radius { member: false, .. } => {
            request.centre = Some(position(args[2], args[3])?);
            let (shape, metres) = circle(args[4], args[5])?;
            (request.shape, request.metres) = (Some(shape), metres);
            &args[6..]
        }
        Form::Radius { member: true, .. } => {
            request.centre = of_member(zset, args[2])?;
            if zset.is_some() {
                let (shape, metres) = circle(args[3], args[4])?;
                (request.shape, request.metres) = (Some(shape), metres);
            }
            &args[5..]
        }
    };
    let searches = matches!(form, Form::Search | Form::SearchStore);
    let may_store = form == Form::Radius { member: false, may_store: true }
        || form == Form::Radius { member: true, may_store: true };
    let (mut by_member, mut by_place, mut by_radius, mut by_box) = (false, false, false, false);
    while let [word, tail @ ..] = rest {
        rest = tail;
        match (word, tail) {
            (word, _) if is(word, "withdist") => request.with_distance = true,
            (word, _) if is(word, "withhash") => request.with_hash = true,
            (word, _) if is(word, "withcoord") => request.with_position = true,
            (word, _) if is(word, "any") => request.any = true,
            (word, _) if is(word, "asc") => request.order = Some(false),
            (word, _) if is(word, "desc") => request.order = Some(true),
            (word, [count, tail @ ..]) if is(word, "count") => {
                let count = args::integer(count)?;
                let wrong = Refusal::Text("ERR COUNT must be > 0");
                request.count = usize::try_from(count).ok().filter(|count| *count > 0).ok_or(wrong)?;
                rest = tail;
            }
            (word, [to, tail @ ..]) if may_store && (is(word, "store") || is(word, "storedist")) => {
                (request.store, request.store_distance) = (Some(*to), is(word, "storedist"));
                rest = tail;
            }
            (word, _) if form == Form::SearchStore && is(word, "storedist") => request.store_distance = true,
            (word, [member, tail @ ..]) if searches && !by_place && is(word, "frommember") => {
                request.centre = of_member(zset, member)?;
                by_member = true;
                rest = tail;
            }
            (word, [x, y, tail @ ..]) if searches && !by_member && is(word, "fromlonlat") => {
                request.centre = Some(position(x, y)?);
                by_place = true;
                rest = tail;
            }
            (word, [radius, unit, tail @ ..]) if searches && !by_box && is(word, "byradius") => {
                let (shape, metres) = circle(radius, unit)?;
                (request.shape, request.metres, by_radius) = (Some(shape), metres, true);
                rest = tail;
            }
            (word, [width, height, unit, tail @ ..]) if searches && !by_radius && is(word, "bybox") => {
                let (shape, metres) = rectangle(width, height, unit)?;
                (request.shape, request.metres, by_box) = (Some(shape), metres, true);
                rest = tail;
            }
            _ => return Err(Refusal::Syntax),
        }
    }
    if request.store.is_some() && (request.with_distance || request.with_hash || request.with_position) {
        let what = if searches { "GEOSEARCHSTORE" } else { "STORE option in GEORADIUS" };
        let text = format!("ERR {what} is not compatible with WITHDIST, WITHHASH and WITHCOORD options");
        return Err(Refusal::Quoted(text));
    }
    let name = String::from_utf8_lossy(args[0]);
    if searches && !by_member && !by_place {
        let text = format!("ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for {name}");
        return Err(Refusal::Quoted(text));
    }
    if searches && !by_radius && !by_box {
        let text = format!("ERR exactly one of BYRADIUS and BYBOX can be specified for {name}");
        return Err(Refusal::Quoted(text));
    }
    if request.any && request.count == 0 {
        return Err(Refusal::Text("ERR the ANY argument requires COUNT argument"));
    }
    Ok(request)
}

/// Everything within the shape, or the first `count` met with ANY.
fn find(zset: &ZSetValue, request: &Request<'_>) -> Vec<Found> {
    let (Some(centre), Some(shape)) = (request.centre, request.shape) else { return Vec::new() };
    let enough = if request.any { request.count } else { usize::MAX };
    let mut found = Vec::new();
    for (from, to) in shape.ranges(centre) {
        let first = zset.partition(&|score, _| score < from);
        let end = zset.partition(&|score, _| score < to);
        zset.walk(first, end - first, false, &mut |member, score| {
            let at = Position::of_score(score);
            if found.len() < enough
                && let Some(distance) = shape.within(centre, at)
            {
                let distance = distance / request.metres;
                found.push(Found { member: member.to_vec(), score, at, distance });
            }
        });
    }
    // The nearest of all are wanted with a count.
    let order = request.order.or((request.count > 0 && !request.any).then_some(false));
    match order {
        Some(false) => found.sort_by(|a, b| a.distance.total_cmp(&b.distance)),
        Some(true) => found.sort_by(|a, b| b.distance.total_cmp(&a.distance)),
        None => {}
    }
    if request.count > 0 {
        found.truncate(request.count);
    }
    found
}

fn run(unit: &mut Unit<'_>, args: &[&[u8]], form: Form, reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let from = unit.key(args[if form == Form::SearchStore { 2 } else { 1 }]);
    let zset = unit.zset(&from)?;
    let request = parse(zset, args, form)?;
    let found = zset.map_or_else(Vec::new, |zset| find(zset, &request));
    if let Some(to) = request.store {
        let to: Key<'_> = unit.key(to);
        let by_distance = request.store_distance;
        let score = |found: &Found| if by_distance { found.distance } else { found.score };
        let scores: Vec<(f64, &[u8])> = found.iter().map(|f| (score(f), f.member.as_slice())).collect();
        store(unit, &to, &scores);
        reply.integer(found.len() as i64);
        return Ok(());
    }
    let extras = [request.with_distance, request.with_hash, request.with_position];
    let extras = extras.iter().filter(|with| **with).count();
    reply.array(found.len());
    for found in &found {
        if extras > 0 {
            reply.array(1 + extras);
        }
        reply.bulk(&found.member);
        if request.with_distance {
            write_distance(reply, found.distance);
        }
        if request.with_hash {
            reply.integer(integer_of(found.score));
        }
        if request.with_position {
            write_position(reply, found.at);
        }
    }
    Ok(())
}

pub fn geosearch(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    run(unit, args, Form::Search, reply)
}

pub fn geosearchstore(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    run(unit, args, Form::SearchStore, reply)
}

pub fn georadius(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    run(unit, args, Form::Radius { member: false, may_store: true }, reply)
}

pub fn georadius_ro(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    run(unit, args, Form::Radius { member: false, may_store: false }, reply)
}

pub fn georadiusbymember(
    unit: &mut Unit<'_>,
    args: &[&[u8]],
    reply: &mut Replies<'_>,
) -> Result<(), Refusal> {
    run(unit, args, Form::Radius { member: true, may_store: true }, reply)
}

pub fn georadiusbymember_ro(
    unit: &mut Unit<'_>,
    args: &[&[u8]],
    reply: &mut Replies<'_>,
) -> Result<(), Refusal> {
    run(unit, args, Form::Radius { member: true, may_store: false }, reply)
}
