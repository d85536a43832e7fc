//! Scores of classifiers, of sentiment, of emotional attributes, and their spread over folds.

use emotion::{Agreement, Confusion, LabelSet, Polarity, SentimentScores, Spread};
use serde_json::Value;

use super::{Case, list, number, text};

/// Order of MulT's four classifiers on IEMOCAP.
const IEMOCAP: [&str; 4] = ["neutral", "happy", "sad", "angry"];

pub fn metrics(case: &mut Case) {
    let tolerance = number(case.json(), "tolerance");
    for set in list(case.json(), "sets").to_vec() {
        let name = text(&set, "name");
        let got: Vec<(String, Option<f64>)> = match text(&set, "kind") {
            "classes" => {
                let (truth, predicted) = series(case, name);
                classes(&truth, &predicted, number(&set, "n_classes") as usize)
            }
            "sentiment" => {
                let (truth, predicted) = series(case, name);
                [regression(&truth, &predicted), sentiment(&truth, &predicted)].concat()
            }
            "regression" => {
                let (truth, predicted) = series(case, name);
                regression(&truth, &predicted)
            }
            "iemocap" => iemocap(case, name),
            "folds" => folds(&set),
            other => panic!("a set of the kind {other}"),
        };
        let expected = flat("", &set["expected"]);
        assert!(!expected.is_empty(), "{name}");
        for (what, want) in expected {
            let (_, got) = got.iter().find(|(own, _)| *own == what).unwrap_or_else(|| panic!("{name} has no {what}"));
            // What is undefined must be so on both sides.
            let undefined = |value: Option<f64>| value.unwrap_or(f64::NAN);
            case.check(&format!("{name}: {what}"), undefined(*got), undefined(want), tolerance, 0.0);
        }
    }
}

/// Truths and predictions of a set.
fn series(case: &Case, name: &str) -> (Vec<f64>, Vec<f64>) {
    let role = |what: &str| case.by_role(&format!("{name}.{what}")).doubles().to_vec();
    (role("truth"), role("pred"))
}

/// The numbers below `value`, by their path.
fn flat(path: &str, value: &Value) -> Vec<(String, Option<f64>)> {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Value::Object(entries) => entries.iter().flat_map(|(key, value)| flat(&below(key), value)).collect(),
        Value::Array(values) => {
            values.iter().enumerate().flat_map(|(idx, value)| flat(&below(&idx.to_string()), value)).collect()
        }
        value => vec![(path.to_owned(), value.as_f64())],
    }
}

fn numbered(n: usize) -> LabelSet {
    LabelSet::new((0..n).map(|class| class.to_string())).unwrap()
}

fn confusion_of(truth: &[f64], predicted: &[f64], n_classes: usize) -> Confusion {
    let pairs = truth.iter().zip(predicted).map(|(&truth, &predicted)| (truth as usize, predicted as usize));
    Confusion::from_pairs(numbered(n_classes), pairs)
}

fn classes(truth: &[f64], predicted: &[f64], n_classes: usize) -> Vec<(String, Option<f64>)> {
    let confusion = confusion_of(truth, predicted, n_classes);
    let scores = confusion.scores();
    let mut got: Vec<(String, Option<f64>)> = [
        ("accuracy", Some(scores.war)),
        ("war", Some(scores.war)),
        ("uar", Some(scores.uar)),
        ("f1_micro", Some(scores.war)),
        ("f1_macro", Some(confusion.macro_f1_of_all())),
        ("f1_macro_present", Some(scores.macro_f1)),
        ("f1_weighted", confusion.weighted_f1()),
    ]
    .map(|(what, value)| (what.to_owned(), value))
    .to_vec();
    let per_class = [("recall", confusion.recalls()), ("precision", confusion.precisions()), ("f1", confusion.f1s())];
    for (what, values) in per_class {
        got.extend(values.into_iter().enumerate().map(|(class, value)| (format!("{what}.{class}"), value)));
    }
    for (truth, row) in confusion.counts.iter().enumerate() {
        let cells = row.iter().enumerate();
        got.extend(cells.map(|(class, &count)| (format!("confusion.{truth}.{class}"), Some(count as f64))));
    }
    got
}

fn regression(truth: &[f64], predicted: &[f64]) -> Vec<(String, Option<f64>)> {
    let Agreement { mae, mse, pearson, ccc } = Agreement::of(predicted, truth);
    [("mae", Some(mae)), ("mse", Some(mse)), ("pearson", pearson), ("ccc", ccc)]
        .map(|(what, value)| (what.to_owned(), value))
        .to_vec()
}

fn sentiment(truth: &[f64], predicted: &[f64]) -> Vec<(String, Option<f64>)> {
    let scores = SentimentScores::of(predicted, truth);
    let mut got = vec![("acc7".to_owned(), Some(scores.acc7)), ("acc5".to_owned(), Some(scores.acc5))];
    let polarities = [("has0", Some(scores.has0)), ("non0", scores.non0), ("all_gt0", Some(scores.above0))];
    for (what, polarity) in polarities {
        let of = |value: fn(Polarity) -> f64| polarity.map(value);
        got.push((format!("acc2_{what}"), of(|polarity| polarity.accuracy)));
        got.push((format!("f1_{what}"), of(|polarity| polarity.f1)));
        got.push((format!("f1_{what}_swapped"), of(|polarity| polarity.f1_swapped)));
    }
    got
}

fn iemocap(case: &Case, name: &str) -> Vec<(String, Option<f64>)> {
    let role = |what: &str| case.by_role(&format!("{name}.{what}")).doubles().to_vec();
    let (truth, logits) = (role("truth"), role("logits"));
    // The first of equals.
    let predicted: Vec<f64> = logits.chunks(2).map(|pair| f64::from(u8::from(pair[1] > pair[0]))).collect();
    let of = |values: &[f64], emotion: usize| -> Vec<f64> {
        values.iter().skip(emotion).step_by(IEMOCAP.len()).copied().collect()
    };
    let emotions = IEMOCAP.into_iter().enumerate();
    emotions
        .flat_map(|(idx, emotion)| {
            let confusion = confusion_of(&of(&truth, idx), &of(&predicted, idx), 2);
            [
                (format!("{emotion}.accuracy"), Some(confusion.scores().war)),
                (format!("{emotion}.f1"), confusion.weighted_f1()),
            ]
        })
        .collect()
}

fn folds(set: &Value) -> Vec<(String, Option<f64>)> {
    let values: Vec<f64> = list(set, "values").iter().map(|value| value.as_f64().unwrap()).collect();
    let Spread { mean, deviation, sample_deviation } = Spread::of(&values);
    [("mean", Some(mean)), ("std_population", Some(deviation)), ("std_sample", sample_deviation)]
        .map(|(what, value)| (what.to_owned(), value))
        .to_vec()
}
