//! From where on the drift of a feature matters, where its group's definition says so.

use crate::model::{DriftLimits, Error, Result};
use crate::statistics::drift::{Metric, Thresholds};

/// Distances of single features.
const LIMITED: [Metric; 9] = [
    Metric::Ks,
    Metric::Psi,
    Metric::LInfinity,
    Metric::NullShare,
    Metric::MeanShift,
    Metric::NewCategories,
    Metric::Wasserstein,
    Metric::JensenShannon,
    Metric::Hellinger,
];

/// Limits of a feature's drift: the usual ones, but for those that are set.
pub(super) fn thresholds_of(limits: &DriftLimits) -> Result<Thresholds> {
    let mut object = serde_json::Map::new();
    for (metric, (watch, alert)) in limits {
        object.insert(metric.clone(), serde_json::json!({"watch": watch.get(), "alert": alert.get()}));
    }
    serde_json::from_value(serde_json::Value::Object(object))
        .map_err(|error| Error::invalid("a limit of drift can't be read").why(error.to_string()))
}

/// Checks that limits name distances there are, and that the alert is not below the watch.
pub fn check_drift_limits(limits: &DriftLimits) -> Result<()> {
    let known = LIMITED.map(Metric::as_str);
    for (metric, (watch, alert)) in limits {
        if !known.contains(&metric.as_str()) {
            return Err(
                Error::usage(format!("'{}' is no distance", metric.escape_debug())).remedy(format!("use one of {}", known.join(", ")))
            );
        }
        if watch > alert {
            return Err(Error::usage(format!("the alert of {metric} is below its watch")).remedy("write the smaller one first"));
        }
    }
    thresholds_of(limits).map(drop)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn limits_name_distances() {
        let limits = |metric: &str, watch: f64, alert: f64| {
            DriftLimits::from([(metric.to_owned(), (watch.try_into().unwrap(), alert.try_into().unwrap()))])
        };
        let set = thresholds_of(&limits("ks", 0.3, 0.4)).unwrap();
        assert_eq!((set.ks.watch, set.ks.alert, set.psi), (0.3, 0.4, Thresholds::default().psi));
        assert!(check_drift_limits(&limits("ks", 0.3, 0.4)).is_ok());
        assert!(check_drift_limits(&limits("kss", 0.3, 0.4)).is_err());
        assert!(check_drift_limits(&limits("ks", 0.5, 0.4)).is_err());
    }
}
