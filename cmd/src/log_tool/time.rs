//! Moments as people write them: UTC with milliseconds, in the form of RFC 3339.

const DAY_MS: u64 = 86_400_000;

/// `2026-05-01T12:00:00.123Z`.
pub fn format(ms: u64) -> String {
    let (year, month, day) = civil(ms / DAY_MS);
    let (s, ms) = (ms / 1000 % 86_400, ms % 1000);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{ms:03}Z", s / 3600, s / 60 % 60, s % 60)
}

/// Unix milliseconds, from a number of them or from RFC 3339. A date alone is its first moment.
pub fn parse(text: &str) -> Result<u64, String> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().map_err(|_| "too large".into());
    }
    rfc3339(text).ok_or_else(|| "give Unix milliseconds or a moment such as 2026-05-01T12:00:00Z".into())
}

fn rfc3339(text: &str) -> Option<u64> {
    let (date, rest) = (text.get(..10)?, text.get(10..)?);
    let days = days(number(&date[..4])?, number(&date[5..7])?, number(&date[8..])?)?;
    if date.as_bytes()[4] != b'-' || date.as_bytes()[7] != b'-' {
        return None;
    }
    if rest.is_empty() {
        return Some(days * DAY_MS);
    }
    let time = rest.strip_prefix(['T', 't', ' '])?;
    let (clock, rest) = (time.get(..8)?, time.get(8..)?);
    let (h, m, s) = (number(&clock[..2])?, number(&clock[3..5])?, number(&clock[6..])?);
    if h > 23 || m > 59 || s > 60 || clock.as_bytes()[2] != b':' || clock.as_bytes()[5] != b':' {
        return None;
    }
    let (ms, zone) = match rest.strip_prefix('.') {
        Some(fraction) => {
            let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
            let thousandths = format!("{:0<3}", fraction.get(..digits.min(3))?);
            (number(&thousandths).filter(|_| digits > 0)?, &fraction[digits..])
        }
        None => (0, rest),
    };
    let local = days * DAY_MS + ((h * 60 + m) * 60 + s) * 1000 + ms;
    match zone {
        "Z" | "z" => Some(local),
        _ => {
            let (sign, offset) = (zone.get(..1)?, zone.get(1..)?);
            if offset.len() != 5 || offset.as_bytes()[2] != b':' {
                return None;
            }
            let ms = (number(&offset[..2])? * 60 + number(&offset[3..])?) * 60_000;
            match sign {
                "+" => local.checked_sub(ms),
                "-" => local.checked_add(ms),
                _ => None,
            }
        }
    }
}

fn number(digits: &str) -> Option<u64> {
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// Year, month and day of a day since 1970; counted in years that begin with March, so that the leap day is a year's last.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

/// Inverse of [`civil`]; `None` for no day, or one before 1970.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (y, shifted) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let of_year = (153 * shifted + 2) / 5 + day - 1;
    let found = y / 400 * 146_097 + y % 400 * 365 + y % 400 / 4 - y % 400 / 100 + of_year - 719_468;
    (civil(found) == (year, month, day)).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_in_utc_and_read_back() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_210_096_007, "2024-02-29T12:34:56.007Z"),
            (1_795_267_225_123, "2026-11-21T13:20:25.123Z"),
            (4_102_444_799_999, "2099-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(format(ms), text);
            assert_eq!(parse(text), Ok(ms));
        }
        for day in 0..60_000 {
            let (year, month, of_month) = civil(day);
            assert_eq!(days(year, month, of_month), Some(day));
        }
    }

    #[test]
    fn moments_are_read_in_the_forms_of_rfc_3339() {
        assert_eq!(parse("1700000000000"), Ok(1_700_000_000_000));
        assert_eq!(parse("1970-01-02"), Ok(DAY_MS));
        assert_eq!(parse("1970-01-02T02:00:00.5+01:30"), Ok(DAY_MS + 1_800_500));
        assert_eq!(parse("1970-01-01 23:00:00-01:00"), Ok(DAY_MS));
        for bad in [
            "",
            "soon",
            "2026-13-01",
            "2025-02-29",
            "2026-01-01T25:00:00Z",
            "2026-01-01T10:00:00",
            "2026-01-01T10:00:00.Z",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert!(parse("2026-01-01T10:00:00é").is_err());
    }
}
