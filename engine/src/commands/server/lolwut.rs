//! LOLWUT: a small atoll, another one each time, and the version.

use proto::resp::Replies;

use crate::commands::args::{integer, is};
use crate::refusal::Refusal;
use crate::session::Call;

const WIDTH: i64 = 58;
const HEIGHT: i64 = 15;

pub fn lolwut(call: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    if let [_, word, version, ..] = args
        && is(word, "version")
    {
        integer(version)?;
    }
    let mut art = draw(call.engine().random());
    art.push_str(&format!("\nRedis ver. {}, Atoll ver. {}\n", crate::REDIS_VERSION, crate::VERSION));
    reply.verbatim("txt", art.as_bytes());
    Ok(())
}

/// A ring of land around a lagoon, its shore roughened by the seed.
fn draw(seed: u64) -> String {
    let rough = |x: i64, y: i64| {
        let mixed = (x as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
            ^ (y as u64).wrapping_mul(0xc2b2_ae3d_27d4_eb4f)
            ^ seed;
        let mixed = (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((mixed >> 40) % 100) as f64 / 100.0
    };
    let mut out = String::new();
    for y in 0..HEIGHT {
        let mut line = String::new();
        for x in 0..WIDTH {
            let dx = (x as f64 - WIDTH as f64 / 2.0) / (WIDTH as f64 / 2.2);
            let dy = (y as f64 - HEIGHT as f64 / 2.0) / (HEIGHT as f64 / 2.2);
            let ring = (dx.hypot(dy) - 0.72).abs() + rough(x, y) * 0.07;
            line.push(match ring {
                r if r < 0.06 => '#',
                r if r < 0.12 => '+',
                r if r < 0.18 => '.',
                _ if (x + 3 * y) % 11 == 0 => '~',
                _ => ' ',
            });
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}
