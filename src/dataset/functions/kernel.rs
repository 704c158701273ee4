//! A scalar function as a table row: its name, the types it takes and gives, and what it does with whole arrays.
//!
//! Two functions of one name are the same function; that is what the engine's comparison of expressions needs.

use std::fmt;
use std::hash::{Hash, Hasher};

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType;
use arrow::util::display::array_value_to_string;
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use crate::dataset::failure::into_engine;
use crate::model::error::Error;

/// What the twin of a function is called that gives null where the function fails.
pub(in crate::dataset) const TRY: &str = "try_";

/// What happens where a value can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Faults {
    /// The statement fails and names the value.
    Fail,
    /// There is no result for that row.
    Null,
}

/// A scalar function, the same for the same arguments whenever it is asked.
pub(super) struct Kernel {
    /// What it is called.
    pub(super) name: &'static str,
    /// Its arguments, for the error about wrong ones: `unit, number, time`.
    pub(super) arguments: &'static str,
    /// The types it wants its arguments in, given the types they have; none if it can't take them.
    pub(super) takes: fn(&[DataType]) -> Option<Vec<DataType>>,
    /// The type of its result, given the types it wanted.
    pub(super) gives: fn(&[DataType]) -> DataType,
    /// Works on arrays of equal length, of the types it wanted; a constant among columns comes repeated.
    pub(super) run: fn(&[ArrayRef], Faults) -> EngineResult<ArrayRef>,
}

impl Kernel {
    /// A function that fails for no value.
    pub(super) fn total(self) -> ScalarUDF {
        self.function(Faults::Fail)
    }

    /// A function that fails for some values, and its twin.
    pub(super) fn partial(self) -> [ScalarUDF; 2] {
        let Self { name, arguments, takes, gives, run } = self;
        [self.function(Faults::Fail), Self { name, arguments, takes, gives, run }.function(Faults::Null)]
    }

    fn function(&self, faults: Faults) -> ScalarUDF {
        let name = match faults {
            Faults::Fail => self.name.to_owned(),
            Faults::Null => format!("{TRY}{}", self.name),
        };
        let Self { name: _, arguments, takes, gives, run } = *self;
        let signature = Signature::user_defined(Volatility::Immutable);
        ScalarUDF::new_from_impl(Function { name, arguments, takes, gives, run, faults, signature })
    }
}

struct Function {
    name: String,
    arguments: &'static str,
    takes: fn(&[DataType]) -> Option<Vec<DataType>>,
    gives: fn(&[DataType]) -> DataType,
    run: fn(&[ArrayRef], Faults) -> EngineResult<ArrayRef>,
    faults: Faults,
    signature: Signature,
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Function").field(&self.name).finish()
    }
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Function {}

impl Hash for Function {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Function {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> EngineResult<Vec<DataType>> {
        (self.takes)(types).ok_or_else(|| {
            let given: Vec<String> = types.iter().map(ToString::to_string).collect();
            into_engine(Error::usage(format!("{}({}) is not defined", self.name, given.join(", "))).remedy(format!(
                "its arguments are ({})",
                self.arguments
            )))
        })
    }

    fn return_type(&self, types: &[DataType]) -> EngineResult<DataType> {
        Ok((self.gives)(types))
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
        let is_constant = call.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let arrays = ColumnarValue::values_to_arrays(&call.args)?;
        let result = (self.run)(&arrays, self.faults)?;
        Ok(if is_constant { ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?) } else { ColumnarValue::Array(result) })
    }
}

/// True for text in any of its column types.
pub(in crate::dataset) fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_text(values),
        other => other.is_string(),
    }
}

/// The type of an argument that has to be text: as it is, or text where nothing is known of it.
pub(super) fn as_text(data_type: &DataType) -> Option<DataType> {
    (is_text(data_type) || data_type.is_null()).then_some(DataType::Utf8)
}

/// The error for a value that is not what the function reads.
pub(super) fn unreadable(function: &str, values: &dyn Array, row: usize, wanted: &str, example: &str) -> DataFusionError {
    let text = array_value_to_string(values, row).unwrap_or_default();
    let shown: String = text.chars().take(60).collect();
    into_engine(
        Error::invalid(format!("{function} can't read '{}' as {wanted}", shown.escape_debug()))
            .remedy(format!("write it like {example}; try({function}(…)) gives null where it can't be read")),
    )
}
