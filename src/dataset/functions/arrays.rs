//! `contains`, which Trino has for arrays and the engine for text: here it is both, by the type of what is searched.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::error::Result as EngineResult;
use datafusion::functions::string::contains as text_contains;
use datafusion::functions_nested::array_has::array_has_udf;
use datafusion::logical_expr::type_coercion::binary::comparison_coercion;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use super::kernel::as_text;
use crate::dataset::failure::into_engine;
use crate::model::error::Error;

/// `contains(array, element)` and `contains(text, part)`.
pub(super) fn contains() -> ScalarUDF {
    ScalarUDF::new_from_impl(Contains {
        list: array_has_udf(),
        text: text_contains(),
        signature: Signature::user_defined(Volatility::Immutable),
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Contains {
    list: Arc<ScalarUDF>,
    text: Arc<ScalarUDF>,
    signature: Signature,
}

/// The array and the element in one type that can hold both; none if they have none in common.
fn comparable(list: &DataType, element: &DataType) -> Option<Vec<DataType>> {
    let DataType::List(field) = list else { return None };
    let common = comparison_coercion(field.data_type(), element)?;
    let list = DataType::List(Arc::new(field.as_ref().clone().with_data_type(common.clone())));
    Some(vec![list, common])
}

impl ScalarUDFImpl for Contains {
    fn name(&self) -> &'static str {
        "contains"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> EngineResult<Vec<DataType>> {
        let wanted = match types {
            [list, element] if list.is_nested() => comparable(list, element),
            [text, part] => as_text(text).zip(as_text(part)).map(|(text, part)| vec![text, part]),
            _ => None,
        };
        wanted.ok_or_else(|| into_engine(Error::usage("contains takes an array and an element, or a text and a part of it")))
    }

    fn return_type(&self, _types: &[DataType]) -> EngineResult<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
        let is_list = call.arg_fields.first().is_some_and(|field| field.data_type().is_nested());
        let chosen = if is_list { &self.list } else { &self.text };
        chosen.invoke_with_args(call)
    }
}
