"""A first hour with the SageMaker SDK 3, and every call of its feature store, against the server that the environment names.

The environment is what `larder serve --print-env` prints; nothing of the SDK is changed.
"""

import datetime
import os
import sys
import tempfile
import time
import unittest

import pandas as pd
from sagemaker.core.helper.session_helper import Session, get_execution_role
from sagemaker.core.shapes import BatchGetRecordIdentifier, FeatureDefinition, OnlineStoreConfigUpdate, Tag
from sagemaker.mlops.feature_store import (
    DatasetBuilder, FeatureGroup, FeatureMetadata, FeatureParameter, FeatureValue, IngestionError, OfflineStoreConfig, OnlineStoreConfig, S3StorageConfig,
    TtlDuration, as_hive_ddl, create_athena_query, ingest_dataframe, list_records, load_feature_definitions_from_dataframe, update_record,
)

session = Session()
role = get_execution_role()
output = f"s3://{session.default_bucket()}/first-hour"
counter = iter(range(1_000))


def customers(rows, at=1_700_000_000.0):
    """Purchases of customers, a second apart."""
    return pd.DataFrame({
        "customer_id": [f"C{row:04}" for row in range(rows)],
        "event_time": [at + row for row in range(rows)],
        "total": [row * 1.5 for row in range(rows)],
        "visits": list(range(rows)),
    })


def make(frame, name="customers", **options):
    group = FeatureGroup.create(
        feature_group_name=f"{name}-{next(counter)}", record_identifier_feature_name="customer_id", event_time_feature_name="event_time",
        feature_definitions=load_feature_definitions_from_dataframe(frame), role_arn=role,
        **{
            "online_store_config": OnlineStoreConfig(enable_online_store=True, storage_type="Standard_V2"),
            "offline_store_config": OfflineStoreConfig(s3_storage_config=S3StorageConfig(s3_uri=f"{output}/offline")),
        } | options,
    )
    group.wait_for_status("Created", poll=1)
    return group


def read(answer):
    return {value.feature_name: value.value_as_string for value in (answer.record if isinstance(answer.record, list) else [])}


def query(group, text):
    asked = create_athena_query(group.feature_group_name, session)
    asked.run(text.format(table=f'"{asked.database}"."{asked.table_name}"'), f"{output}/queries")
    asked.wait()
    assert asked.get_query_execution()["QueryExecution"]["Status"]["State"] == "SUCCEEDED", asked.get_query_execution()
    return asked.as_dataframe()


def put(group, identifier, at, total, **options):
    pairs = {"customer_id": identifier, "event_time": str(at), "total": total}
    group.put_record(record=[FeatureValue(feature_name=name, value_as_string=value) for name, value in pairs.items()], **options)


class FirstHour(unittest.TestCase):
    def test_from_a_data_frame_to_a_training_set(self):
        frame = customers(1_000)
        group = make(frame, description="what customers buy", tags=[Tag(key="team", value="growth")])
        self.assertEqual([definition.feature_type for definition in group.feature_definitions], ["String", "Fractional", "Fractional", "Integral"])
        put(group, "C9999", 1_700_000_000, "99.90")
        self.assertEqual(read(group.get_record("C9999")), {"customer_id": "C9999", "event_time": "1700000000", "total": "99.90"})
        ingest_dataframe(group.feature_group_name, frame, max_workers=4, wait=True)
        self.assertEqual(read(group.get_record("C0007", feature_names=["visits"])), {"visits": "7"})
        wanted = BatchGetRecordIdentifier(
            feature_group_name=group.feature_group_name, record_identifiers_value_as_string=["C0001", "C0999", "nobody"], feature_names=["total"]
        )
        batch = group.batch_get_record(identifiers=[wanted])
        self.assertEqual({found.record_identifier_value_as_string for found in batch.records}, {"C0001", "C0999"})
        table = query(group, "SELECT count(*) AS n, max(visits) AS most FROM {table} WHERE NOT is_deleted;")
        self.assertEqual(table.to_dict("records"), [{"n": 1001, "most": 999}])

        later = customers(1_000, at=1_700_100_000.0)
        later["total"] += 1_000_000
        ingest_dataframe(group.feature_group_name, later, max_workers=2, max_processes=2, wait=True, use_batch_write_record=True)
        labels = pd.DataFrame({
            "label_id": [1, 2, 3],
            "customer": pd.Series(["C0001", "C0001", "C0002"], dtype="object"),
            "label_time": [1_700_050_000.0, 1_700_200_000.0, 1_700_200_000.0],
        })
        builder = DatasetBuilder.create(
            base=labels, output_path=f"{output}/datasets", session=session, record_identifier_feature_name="label_id", event_time_identifier_feature_name="label_time"
        )
        builder = builder.with_feature_group(group, target_feature_name_in_base="customer", included_feature_names=["total"])
        data, text = builder.point_in_time_accurate_join().with_number_of_recent_records_by_record_identifier(1).to_dataframe()
        self.assertIn("row_recent", text)
        totals = {int(row["label_id"]): float(row["total.1"]) for row in data.to_dict("records")}
        self.assertEqual(totals, {1: 1.5, 2: 1_000_001.5, 3: 1_000_003.0})

        group.update(feature_additions=[FeatureDefinition(feature_name="segment", feature_type="String")])
        group.refresh()
        self.assertEqual((len(group.feature_definitions), group.last_update_status.status), (5, "Successful"))
        listed = [found.feature_group_name for found in FeatureGroup.get_all(name_contains=group.feature_group_name)]
        self.assertEqual(listed, [group.feature_group_name])
        self.assertEqual(FeatureGroup.get(group.feature_group_name).description, "what customers buy")
        group.delete()
        group.wait_for_delete(poll=1, timeout=20)
        with self.assertRaises(Exception):
            FeatureGroup.get(group.feature_group_name)


class Methods(unittest.TestCase):
    def test_groups(self):
        group = make(customers(1))
        group.update(online_store_config=OnlineStoreConfigUpdate(ttl_duration=TtlDuration(unit="Days", value=3)))
        group.refresh()
        self.assertEqual(group.online_store_config.ttl_duration.value, 3)
        self.assertIn("CREATE EXTERNAL TABLE", as_hive_ddl(group.feature_group_name))
        feature = FeatureMetadata.get(feature_group_name=group.feature_group_name, feature_name="total")
        feature.update(description="in euros", parameter_additions=[FeatureParameter(key="unit", value="EUR")])
        feature.refresh()
        self.assertEqual((feature.description, feature.parameters[0].value), ("in euros", "EUR"))

    def test_records(self):
        group = make(customers(1))
        put(group, "a", 10, "1", target_stores=["OnlineStore"])
        put(group, "a", 11, "2", target_stores=["OfflineStore"])
        self.assertEqual(read(group.get_record("a"))["total"], "1")
        update_record(group.feature_group_name, "a", [FeatureValue(feature_name="visits", value_as_string="7")])
        self.assertEqual(read(group.get_record("a")), {"customer_id": "a", "event_time": "10", "total": "1", "visits": "7"})
        put(group, "b", int(time.time()), "3", ttl_duration=TtlDuration(unit="Hours", value=1))
        self.assertTrue(group.get_record("b", expiration_time_response="Enabled").expires_at)
        self.assertEqual(sorted(list_records(group.feature_group_name).record_identifiers), ["a", "b"])
        group.delete_record("a", "20", deletion_mode="SoftDelete")
        self.assertEqual(list_records(group.feature_group_name).record_identifiers, ["b"])
        self.assertEqual(sorted(list_records(group.feature_group_name, include_soft_deleted_records=True).record_identifiers), ["a", "b"])

    def test_rows_that_fail_are_told(self):
        for batches in (False, True):
            group = make(customers(1))
            frame = customers(60).astype({"visits": "object"})
            frame.loc[3, "visits"] = "many"
            with self.assertRaises(IngestionError) as caught:
                ingest_dataframe(group.feature_group_name, frame, max_workers=2, wait=True, use_batch_write_record=batches)
            self.assertEqual(caught.exception.failed_rows, [3])
            self.assertEqual(read(group.get_record("C0059"))["visits"], "59")

    def test_datasets(self):
        group, other = make(customers(1)), make(customers(1), name="others")
        ingest_dataframe(group.feature_group_name, customers(4))
        ingest_dataframe(group.feature_group_name, customers(4, at=1_700_000_100.0))
        ingest_dataframe(other.feature_group_name, customers(3, at=1_700_000_050.0))
        group.delete_record("C0003", "1700000200.0")
        create = lambda **options: DatasetBuilder.create(base=group, output_path=f"{output}/datasets", session=session, **options)
        rows = lambda builder: len(builder.to_dataframe()[0])
        self.assertEqual(rows(create()), 6, "three customers twice; the deleted one is not among them")
        self.assertEqual(rows(create().include_deleted_records()), 8)
        self.assertEqual(rows(create().include_duplicated_records()), 6)
        self.assertEqual(rows(create().with_number_of_recent_records_by_record_identifier(1)), 3)
        self.assertEqual(rows(create().with_number_of_records_from_query_results(2)), 2)
        self.assertEqual(rows(create().as_of(datetime.datetime.now() + datetime.timedelta(days=1))), 6)
        self.assertEqual(rows(create().as_of(datetime.datetime(2001, 1, 1))), 0)
        # One end only: with both, this SDK writes "is_deletedAND", which is no SQL anywhere.
        ranged = create().with_event_time_range(starting_timestamp=datetime.datetime.fromtimestamp(1_700_000_050))
        self.assertEqual(rows(ranged), 3)
        picked, _ = create(included_feature_names=["customer_id", "total"]).to_dataframe()
        self.assertEqual(list(picked.columns), ["customer_id", "total"])
        joined = create().with_feature_group(other, target_feature_name_in_base="customer_id", included_feature_names=["visits"])
        self.assertEqual(rows(joined), 6)
        uri, text = create().to_csv_file()
        self.assertTrue(uri.startswith(output) and uri.endswith(".csv") and "SELECT" in text)


if __name__ == "__main__":
    print(f"pandas {pd.__version__}", file=sys.stderr)
    # The SDK leaves result files in the working directory.
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        done = unittest.main(verbosity=1, exit=False)
        os.chdir("/")
    sys.exit(not done.result.wasSuccessful())
