//! Commands on geographic indexes: sorted sets whose scores are positions.

mod places;
mod search;

pub use places::{geoadd, geodist, geohash, geopos};
pub use search::{
    georadius, georadius_ro, georadiusbymember, georadiusbymember_ro, geosearch, geosearchstore,
};

use proto::resp::Replies;

use crate::commands::args::is;
use crate::number::geohash::Position;
use crate::number::parse_f64;
use crate::refusal::Refusal;

/// Metres of a unit.
fn metres(arg: &[u8]) -> Result<f64, Refusal> {
    let units = [("m", 1.0), ("km", 1000.0), ("ft", 0.3048), ("mi", 1609.34)];
    let found = units.into_iter().find(|(word, _)| is(arg, word));
    let unknown = Refusal::Text("ERR unsupported unit provided. please use M, KM, FT, MI");
    found.map(|(_, metres)| metres).ok_or(unknown)
}

fn position(longitude: &[u8], latitude: &[u8]) -> Result<Position, Refusal> {
    let longitude = parse_f64(longitude).ok_or(Refusal::NotFloat)?;
    let latitude = parse_f64(latitude).ok_or(Refusal::NotFloat)?;
    let at = Position { longitude, latitude };
    let wrong =
        || Refusal::Quoted(format!("ERR invalid longitude,latitude pair {longitude:.6},{latitude:.6}"));
    if at.is_valid() { Ok(at) } else { Err(wrong()) }
}

fn write_distance(reply: &mut Replies<'_>, distance: f64) {
    reply.bulk(format!("{distance:.4}").as_bytes());
}

fn write_position(reply: &mut Replies<'_>, at: Position) {
    reply.array(2);
    for degrees in [at.longitude, at.latitude] {
        let text = format!("{degrees:.17}");
        let text = text.trim_end_matches('0').trim_end_matches('.');
        let text = if text == "-0" { "0" } else { text };
        reply.double_text(text.as_bytes());
    }
}
