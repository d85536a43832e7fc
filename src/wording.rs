//! Numbers and findings as people read them.

use std::path::Path;

use models::{Fit, Use};

/// What is wrong with a file, without its path at the end: that is shown beside it.
pub fn without_path<'a>(reason: &'a str, path: &Path) -> &'a str {
    match reason.rsplit_once(": ") {
        Some((what, file)) if !path.as_os_str().is_empty() && Path::new(file).ends_with(path) => what,
        _ => reason,
    }
}

/// A length of time, rounded to what matters: `45 s`, `3 min`, `1 h 20 min`.
pub fn duration(secs: f64) -> String {
    let secs = secs.max(0.0).round() as u64;
    match secs {
        0..60 => format!("{secs} s"),
        60..3600 => format!("{} min", (secs + 30) / 60),
        _ => format!("{} h {} min", secs / 3600, secs % 3600 / 60),
    }
}

/// An estimate of what is left: `less than a minute left`, `3 min left`.
pub fn remaining(secs: f64) -> String {
    if secs < 10.0 {
        "a few seconds left".into()
    } else if secs < 60.0 {
        format!("{} s left", (secs / 5.0).round() * 5.0)
    } else {
        format!("{} left", duration(secs))
    }
}

/// The length of a clip: `3.4 s`, `1:05`.
pub fn clip_length(secs: f32) -> String {
    if secs < 60.0 {
        format!("{secs:.1} s")
    } else {
        let secs = secs.round() as u64;
        format!("{}:{:02}", secs / 60, secs % 60)
    }
}

/// A size on disk: `812 kB`, `3.4 GB`.
pub fn bytes(n: u64) -> String {
    let n = n as f64;
    if n < 1e6 {
        format!("{:.0} kB", n / 1e3)
    } else if n < 1e9 {
        format!("{:.0} MB", n / 1e6)
    } else {
        format!("{:.1} GB", n / 1e9)
    }
}

/// A share in per cent with one decimal: `93.4 %`.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// `n` with its noun, which takes an s: `1 clip`, `2,100 clips`.
pub fn count(n: usize, noun: &str) -> String {
    format!("{} {noun}{}", grouped(n), if n == 1 { "" } else { "s" })
}

/// `n` with commas between thousands.
pub fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (idx, digit) in digits.chars().enumerate() {
        if idx > 0 && (digits.len() - idx).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What takes a file of weights: `UMBEnet takes it as clip in paper, official-compat`.
pub fn uses(uses: &[Use]) -> Vec<String> {
    let mut lines: Vec<(String, Vec<&str>)> = Vec::new();
    for Use { model, preset, setting } in uses {
        let line = format!("{} takes it as {setting} in", model.title());
        match lines.iter_mut().find(|(own, _)| *own == line) {
            Some((_, presets)) => presets.push(preset),
            None => lines.push((line, vec![preset])),
        }
    }
    lines.into_iter().map(|(line, presets)| format!("{line} {}", presets.join(", "))).collect()
}

/// What of a file does not fit, kind by kind: how many, and the first `n_listed` names.
pub fn problems(fit: &Fit, n_listed: usize) -> Vec<(String, String)> {
    let shapes = fit.misshapen.iter().map(|own| format!("{} {:?} instead of {:?}", own.name, own.found, own.expected));
    let kinds = [
        ("missing", fit.missing.clone()),
        ("unexpected", fit.unexpected.clone()),
        ("misshapen", shapes.collect::<Vec<_>>()),
        ("of another type", fit.mistyped.clone()),
    ];
    let kinds = kinds.into_iter().filter(|(_, names)| !names.is_empty());
    kinds
        .map(|(what, names)| {
            let n = names.len();
            let first = names.into_iter().take(n_listed).collect::<Vec<_>>().join(", ");
            let more = if n > n_listed { format!(" … and {} more", n - n_listed) } else { String::new() };
            (format!("{} {what}", grouped(n)), format!("{first}{more}"))
        })
        .collect()
}

/// A word at the beginning of a sentence.
pub fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// How long ago `then_secs` was, both in seconds since 1970: `just now`, `5 min ago`, `yesterday`, `2026-11-20`.
pub fn ago(then_secs: u64, now_secs: u64) -> String {
    match now_secs.saturating_sub(then_secs) {
        0..60 => "just now".into(),
        secs @ 60..3600 => format!("{} min ago", secs / 60),
        secs @ 3600..86_400 => format!("{} h ago", secs / 3600),
        86_400..172_800 => "yesterday".into(),
        _ => date(then_secs),
    }
}

/// The day of `secs` since 1970 in UTC: `2026-11-20`.
pub fn date(secs: u64) -> String {
    // Days to year, month and day in the proleptic Gregorian calendar, with years that begin in March.
    let days = (secs / 86_400) as i64 + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, year) = (if month < 10 { month + 3 } else { month - 9 }, year_of_era + era * 400);
    format!("{:04}-{month:02}-{day:02}", if month <= 2 { year + 1 } else { year })
}

/// How well values agree with annotations: `MAE 0.812  Pearson 0.701  CCC 0.690`.
pub fn agreement(agreement: &emotion::Agreement) -> String {
    let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.3}"));
    let emotion::Agreement { mae, pearson, ccc, .. } = agreement;
    format!("MAE {mae:.3}  Pearson {}  CCC {}", number(*pearson), number(*ccc))
}

/// How well an attribute is predicted, with what tables on sentiment have besides.
pub fn attribute_scores(scores: &training::AttributeScores) -> String {
    let training::AttributeScores { attribute, agreement: all, sentiment } = scores;
    let mut text = format!("{}: {}", attribute.name(), agreement(all));
    if let Some(sentiment) = sentiment {
        let both = |name: &str, scores: &emotion::Polarity| {
            format!("  Acc2 {name} {:.3}  F1 {name} {:.3}", scores.accuracy, scores.f1)
        };
        text.push_str(&format!("  Acc7 {:.3}  Acc5 {:.3}", sentiment.acc7, sentiment.acc5));
        text.push_str(&both("has-0", &sentiment.has0));
        text.extend(sentiment.non0.as_ref().map(|scores| both("non-0", scores)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_naturally() {
        for (secs, text) in [(4.0, "4 s"), (59.6, "1 min"), (200.0, "3 min"), (4800.0, "1 h 20 min")] {
            assert_eq!(duration(secs), text);
        }
        for (secs, text) in [(3.0, "a few seconds left"), (33.0, "35 s left"), (130.0, "2 min left")] {
            assert_eq!(remaining(secs), text);
        }
        for (secs, text) in [(3.42, "3.4 s"), (65.0, "1:05")] {
            assert_eq!(clip_length(secs), text);
        }
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        for (secs, day) in [
            (0, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_795_132_800, "2026-11-20"),
            (1_798_675_200, "2026-12-31"),
        ] {
            assert_eq!(date(secs), day);
        }
        assert_eq!(ago(1000, 1400), "6 min ago");
        assert_eq!(ago(1000, 1000 + 90_000), "yesterday");
    }

    #[test]
    fn a_path_that_is_shown_beside_is_not_said_again() {
        let said = |reason| without_path(reason, Path::new("a/b.mp4"));
        assert_eq!(said("no sound was found: /data/a/b.mp4"), "no sound was found");
        assert_eq!(said("cut off: 3 of 9 frames"), "cut off: 3 of 9 frames");
        assert_eq!(without_path("empty: ", Path::new("")), "empty: ");
    }

    #[test]
    fn counts_have_their_noun() {
        for (n, text) in [(0, "0 clips"), (1, "1 clip"), (350, "350 clips"), (1_234_567, "1,234,567 clips")] {
            assert_eq!(count(n, "clip"), text);
        }
        assert_eq!(bytes(3_400_000_000), "3.4 GB");
    }
}
