//! RESP requests: any bytes, cut anywhere, give the same commands or the same error as in one piece; replies decode or are refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::resp::{RequestLimits, RequestParser, Requests, Value};

type Commands = Vec<Vec<Vec<u8>>>;

/// Feeds `input` in pieces that end at `cuts`, as a connection does.
fn parse(input: &[u8], cuts: impl Iterator<Item = usize>) -> (Commands, Option<String>) {
    let limits = RequestLimits::default();
    let mut parser = RequestParser::new(limits);
    let (mut requests, mut commands) = (Requests::new(), Vec::new());
    let mut start = 0;
    for end in cuts.chain([input.len()]) {
        loop {
            let buffer = &input[start..end];
            match parser.parse(buffer, 16, &mut requests) {
                Err(error) => return (commands, Some(error.to_string())),
                Ok(consumed) => {
                    for i in 0..requests.len() {
                        commands.push(requests.args_of(i, buffer).map(<[u8]>::to_vec).collect());
                    }
                    start += consumed;
                    if consumed == 0 {
                        break;
                    }
                }
            }
        }
    }
    (commands, None)
}

fuzz_target!(|data: &[u8]| {
    let Some((step, input)) = data.split_first() else { return };
    let step = usize::from(*step).max(1);
    let whole = parse(input, std::iter::empty());
    let cut = parse(input, (step..input.len()).step_by(step));
    assert_eq!(whole, cut);
    let _ = Value::decode(input);
});
