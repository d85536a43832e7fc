//! Texts to the tokens of CLIP's tokenizer.

use models::encoders::clip::{Overlong, Tokenizer};

use super::Case;
use crate::parity::shared::{data_file, list, number, text};

/// The context of the output that is cut short.
const SHORT: usize = 16;

pub fn tokens(case: &mut Case) {
    let tokenizer = Tokenizer::open(&data_file(case, case.text("vocab"))).unwrap();
    let context = case.size("context_length");
    let texts = list(case.json(), "texts").to_vec();
    let all = |tokenize: &dyn Fn(&str) -> Vec<i64>| -> Vec<f32> {
        texts.iter().flat_map(|entry| tokenize(text(entry, "text"))).map(|id| id as f32).collect()
    };
    let cut = |context: usize| all(&|text| tokenizer.tokenize(text, context, Overlong::Cut).unwrap());
    case.compare("ids", &cut(context));
    let short = case.outputs().into_iter().find_map(|name| name.strip_prefix("context_").map(str::to_owned));
    let short = short.map_or(SHORT, |short| short.parse().unwrap());
    case.compare(&format!("context_{short}"), &cut(short));
    case.compare("lengths", &all(&|text| vec![tokenizer.encode(text).len() as i64 + 2]));
    case.compare("caption_ids", &all(&|text| tokenizer.caption(text, context, Overlong::Cut).unwrap()));
    for entry in &texts {
        let given = text(entry, "text");
        let whole = tokenizer.tokenize(given, context, Overlong::Refuse);
        assert_eq!(whole.is_ok(), entry["fits"] == true, "{given:?}");
        assert_eq!(tokenizer.encode(given).len() as f64 + 2.0, number(entry, "length"), "{given:?}");
    }
}
