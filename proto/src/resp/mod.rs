//! RESP2 and RESP3: requests as Redis reads them, replies as Redis writes them.

pub mod decimal;
pub mod inline;
pub mod reply;
pub mod request;
pub mod value;

pub use decimal::{Decimal, put_digits};
pub use reply::{Protocol, Replies};
pub use request::{ProtocolError, RequestLimits, RequestParser, Requests};
pub use value::{DecodeError, ReplyLimits, ReplyReader, Value};
