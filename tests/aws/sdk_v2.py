"""A first hour with the SageMaker SDK 2, and every method of its feature store, against the server that the environment names.

The environment is what `larder serve --print-env` prints; nothing of the SDK is changed. Runs with pandas 2 and 3: where texts are a
type of their own (pandas 3), PANDAS_FUTURE_INFER_STRING=0 lets the SDK infer their feature type.
"""

import datetime
import os
import sys
import tempfile
import time
import unittest

os.environ.setdefault("PANDAS_FUTURE_INFER_STRING", "0")

import pandas as pd
import sagemaker
from sagemaker.feature_store.feature_definition import FractionalFeatureDefinition, IntegralFeatureDefinition, StringFeatureDefinition
from sagemaker.feature_store.feature_group import FeatureGroup, IngestionError
from sagemaker.feature_store.feature_store import FeatureStore
from sagemaker.feature_store.feature_utils import get_feature_group_as_dataframe, get_session_from_role, prepare_fg_from_dataframe_or_file
from sagemaker.feature_store.inputs import (
    DeletionModeEnum, FeatureParameter, FeatureValue, Filter, FilterOperatorEnum, Identifier, OnlineStoreConfigUpdate, ResourceEnum, TableFormatEnum,
    TargetStoreEnum, ThroughputConfigUpdate, ThroughputModeEnum, TtlDuration,
)
from sagemaker.feature_store.dataset_builder import JoinComparatorEnum, JoinTypeEnum

session = sagemaker.Session()
role = sagemaker.get_execution_role()
output = f"s3://{session.default_bucket()}/first-hour"
store = FeatureStore(session)
counter = iter(range(1_000))


def customers(rows, at=1_700_000_000.0):
    """Purchases of customers, a second apart."""
    return pd.DataFrame({
        "customer_id": pd.Series([f"C{row:04}" for row in range(rows)], dtype="object"),
        "event_time": [at + row for row in range(rows)],
        "total": [row * 1.5 for row in range(rows)],
        "visits": list(range(rows)),
    })


def make(frame, name="customers", **options):
    group = FeatureGroup(f"{name}-{next(counter)}", sagemaker_session=session)
    group.load_feature_definitions(data_frame=frame)
    options = {"record_identifier_name": "customer_id", "event_time_feature_name": "event_time", "role_arn": role, "enable_online_store": True} | options
    group.create(s3_uri=options.pop("s3_uri", f"{output}/offline"), **options)
    while group.describe()["FeatureGroupStatus"] == "Creating":
        time.sleep(0.1)
    return group


def read(record):
    return {value["FeatureName"]: value.get("ValueAsString", value.get("ValueAsStringList")) for value in record or []}


def query(group, text):
    asked = group.athena_query()
    asked.run(query_string=text.format(table=f'"{asked.database}"."{asked.table_name}"'), output_location=f"{output}/queries")
    asked.wait()
    assert asked.get_query_execution()["QueryExecution"]["Status"]["State"] == "SUCCEEDED", asked.get_query_execution()
    return asked.as_dataframe()


class FirstHour(unittest.TestCase):
    def test_from_a_data_frame_to_a_training_set(self):
        frame = customers(1_000)
        group = make(frame, description="what customers buy", tags=[{"Key": "team", "Value": "growth"}])
        self.assertEqual([definition.feature_type.value for definition in group.feature_definitions], ["String", "Fractional", "Fractional", "Integral"])
        put = [FeatureValue("customer_id", "C9999"), FeatureValue("event_time", "1700000000"), FeatureValue("total", "99.90")]
        group.put_record(record=put)
        self.assertEqual(read(group.get_record("C9999")), {"customer_id": "C9999", "event_time": "1700000000", "total": "99.90"})
        self.assertEqual(group.ingest(data_frame=frame, max_workers=4, wait=True).failed_rows, [])
        self.assertEqual(read(group.get_record("C0007", feature_names=["visits"])), {"visits": "7"})
        batch = store.batch_get_record([Identifier(group.name, ["C0001", "C0999", "nobody"], ["total"])])
        self.assertEqual({found["RecordIdentifierValueAsString"] for found in batch["Records"]}, {"C0001", "C0999"})
        self.assertEqual((batch["Errors"], batch["UnprocessedIdentifiers"]), ([], []))
        table = query(group, "SELECT count(*) AS n, max(visits) AS most FROM {table} WHERE NOT is_deleted;")
        self.assertEqual(table.to_dict("records"), [{"n": 1001, "most": 999}])

        later = customers(1_000, at=1_700_100_000.0)
        later["total"] += 1_000_000
        self.assertEqual(group.ingest(data_frame=later, max_workers=2, max_processes=2, wait=True).failed_rows, [])
        labels = pd.DataFrame({
            "label_id": [1, 2, 3],
            "customer": pd.Series(["C0001", "C0001", "C0002"], dtype="object"),
            "label_time": [1_700_050_000.0, 1_700_200_000.0, 1_700_200_000.0],
        })
        builder = store.create_dataset(
            base=labels, output_path=f"{output}/datasets", record_identifier_feature_name="label_id", event_time_identifier_feature_name="label_time"
        )
        builder = builder.with_feature_group(group, target_feature_name_in_base="customer", included_feature_names=["total"])
        data, text = builder.point_in_time_accurate_join().with_number_of_recent_records_by_record_identifier(1).to_dataframe()
        self.assertIn("row_recent", text)
        totals = {int(row["label_id"]): float(row["total.1"]) for row in data.to_dict("records")}
        self.assertEqual(totals, {1: 1.5, 2: 1_000_001.5, 3: 1_000_003.0})

        group.update(feature_additions=[StringFeatureDefinition("segment"), FractionalFeatureDefinition("score")])
        self.assertEqual(group.describe()["LastUpdateStatus"]["Status"], "Successful")
        self.assertEqual(len(group.describe()["FeatureDefinitions"]), 6)
        listed = store.list_feature_groups(name_contains=group.name, sort_by="Name", max_results=5)
        self.assertEqual([found["FeatureGroupName"] for found in listed["FeatureGroupSummaries"]], [group.name])
        self.assertEqual(group.describe()["Description"], "what customers buy")
        group.delete()
        with self.assertRaisesRegex(Exception, "ResourceNotFound"):
            group.describe()


class Methods(unittest.TestCase):
    def test_groups(self):
        group = make(customers(1), ttl_duration=TtlDuration("Hours", 2), table_format=TableFormatEnum.GLUE, tags=[{"Key": "team", "Value": "a"}])
        told = group.describe()
        self.assertEqual(told["OnlineStoreConfig"]["TtlDuration"], {"Unit": "Hours", "Value": 2})
        self.assertEqual(group.list_tags(), [{"Key": "team", "Value": "a"}])
        group.update(online_store_config=OnlineStoreConfigUpdate(ttl_duration=TtlDuration("Days", 3)))
        self.assertEqual(group.describe()["OnlineStoreConfig"]["TtlDuration"], {"Unit": "Days", "Value": 3})
        group.update(throughput_config=ThroughputConfigUpdate(ThroughputModeEnum.PROVISIONED, 1, 2))
        self.assertEqual(group.describe()["ThroughputConfig"]["ThroughputMode"], "Provisioned")
        self.assertIn("CREATE EXTERNAL TABLE", group.as_hive_ddl())
        group.update_feature_metadata("total", description="in euros", parameter_additions=[FeatureParameter("unit", "EUR")])
        self.assertEqual(group.describe_feature_metadata("total")["Description"], "in euros")
        self.assertEqual(group.list_parameters_for_feature_metadata("total"), [{"Key": "unit", "Value": "EUR"}])
        group.update_feature_metadata("total", parameter_removals=["unit"])
        self.assertEqual(group.list_parameters_for_feature_metadata("total"), [])
        found = store.search(ResourceEnum.FEATURE_GROUP, filters=[Filter("FeatureGroupName", group.name, FilterOperatorEnum.EQUALS)])
        self.assertEqual([hit["FeatureGroup"]["FeatureGroupName"] for hit in found["Results"]], [group.name])
        found = store.search(ResourceEnum.FEATURE_METADATA, filters=[Filter("Description", "euros", FilterOperatorEnum.CONTAINS)])
        self.assertTrue(any(hit["FeatureMetadata"]["FeatureName"] == "total" for hit in found["Results"]))

    def test_records(self):
        group = make(customers(1))
        record = lambda at, total: [FeatureValue("customer_id", "a"), FeatureValue("event_time", str(at)), FeatureValue("total", total)]
        group.put_record(record(10, "1"), target_stores=[TargetStoreEnum.ONLINE_STORE])
        group.put_record(record(11, "2"), target_stores=[TargetStoreEnum.OFFLINE_STORE])
        self.assertEqual(read(group.get_record("a"))["total"], "1")
        group.put_record(record(int(time.time()), "3"), ttl_duration=TtlDuration("Hours", 1))
        self.assertEqual(read(group.get_record("a"))["total"], "3")
        group.delete_record("a", str(int(time.time()) + 1), deletion_mode=DeletionModeEnum.SOFT_DELETE)
        self.assertIsNone(group.get_record("a"))
        group.put_record(record(int(time.time()) + 2, "4"))
        group.delete_record("a", str(int(time.time()) + 3), deletion_mode=DeletionModeEnum.HARD_DELETE)
        group.put_record(record(5, "5"))
        self.assertEqual(read(group.get_record("a"))["total"], "5")

    def test_rows_that_fail_are_told(self):
        group = make(customers(1))
        frame = customers(6).astype({"visits": "object"})
        frame.loc[3, "visits"] = "many"
        frame.loc[4, "total"] = None
        with self.assertRaises(IngestionError) as caught:
            group.ingest(data_frame=frame, max_workers=2, wait=True)
        self.assertEqual(caught.exception.failed_rows, [3])
        self.assertNotIn("total", read(group.get_record("C0004")))

    def test_datasets(self):
        group, other = make(customers(1)), make(customers(1), name="others")
        group.ingest(data_frame=customers(4), wait=True)
        group.ingest(data_frame=customers(4, at=1_700_000_100.0), wait=True)
        other.ingest(data_frame=customers(3, at=1_700_000_050.0), wait=True)
        group.delete_record("C0003", "1700000200.0")
        create = lambda **options: store.create_dataset(base=group, output_path=f"{output}/datasets", **options)
        rows = lambda builder: len(builder.to_dataframe()[0])
        self.assertEqual(rows(create()), 6, "three customers twice; the deleted one is not among them")
        self.assertEqual(rows(create().include_deleted_records()), 8)
        self.assertEqual(rows(create().include_duplicated_records()), 6)
        self.assertEqual(rows(create().with_number_of_recent_records_by_record_identifier(1)), 3)
        self.assertEqual(rows(create().with_number_of_records_from_query_results(2)), 2)
        self.assertEqual(rows(create().as_of(datetime.datetime.now() + datetime.timedelta(days=1))), 6)
        self.assertEqual(rows(create().as_of(datetime.datetime(2001, 1, 1))), 0)
        moment = datetime.datetime.fromtimestamp
        self.assertEqual(rows(create().with_event_time_range(moment(1_700_000_000), moment(1_700_000_050))), 4, "before the delete")
        picked, _ = create(included_feature_names=["customer_id", "total"]).to_dataframe()
        self.assertEqual(list(picked.columns), ["customer_id", "total"])
        for join, count in [(JoinTypeEnum.INNER_JOIN, 6), (JoinTypeEnum.LEFT_JOIN, 6), (JoinTypeEnum.FULL_JOIN, 6), (JoinTypeEnum.RIGHT_JOIN, 6)]:
            joined = create().with_feature_group(
                other, target_feature_name_in_base="customer_id", included_feature_names=["visits"], join_comparator=JoinComparatorEnum.EQUALS, join_type=join
            )
            self.assertEqual(rows(joined), count, join)
        uri, text = create().to_csv_file()
        self.assertTrue(uri.startswith(output) and uri.endswith(".csv") and "SELECT" in text)

    def test_helpers(self):
        group = make(customers(1))
        group.ingest(data_frame=customers(5), wait=True)
        latest = get_feature_group_as_dataframe(feature_group_name=group.name, athena_bucket=f"{output}/queries", session=session, event_time_feature_name="event_time", latest_ingestion=True, verbose=False)
        self.assertEqual(list(latest["customer_id"]), ["C0004"])
        frame = customers(2).rename(columns={"total": "Total Sum"})
        prepared = prepare_fg_from_dataframe_or_file(
            dataframe_or_path=frame, feature_group_name=f"prepared-{next(counter)}", role=role, region=session.boto_region_name, session=session,
            record_id="customer_id", event_id="event_time", s3_uri=f"{output}/offline",
        )
        self.assertIn("total_sum", [definition.feature_name for definition in prepared.feature_definitions])
        self.assertEqual(get_session_from_role(region=session.boto_region_name).boto_region_name, session.boto_region_name)
        assumed = get_session_from_role(region=session.boto_region_name, assume_role=role)
        self.assertTrue(assumed.boto_session.client("sagemaker").list_feature_groups()["FeatureGroupSummaries"])
        self.assertEqual(IntegralFeatureDefinition("n").to_dict(), {"FeatureName": "n", "FeatureType": "Integral"})


if __name__ == "__main__":
    print(f"sagemaker {sagemaker.__version__}, pandas {pd.__version__}", file=sys.stderr)
    # The SDK leaves result files in the working directory.
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        done = unittest.main(verbosity=1, exit=False)
        os.chdir("/")
    sys.exit(not done.result.wasSuccessful())
