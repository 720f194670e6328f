// Which attempts a restart knows of, and when one is on flash.
#include "spool/attempts.h"

#include <gtest/gtest.h>

namespace limpet {
namespace {

BatchHeader Batch(uint64_t sequence, uint32_t attempts = 0) {
  BatchHeader header;
  header.signal = Signal::kLogs;
  header.start = 7;
  header.sequence = sequence;
  header.attempts = attempts;
  return header;
}

TEST(AttemptBook, IsOnFlashOnceATransactionHasIt) {
  AttemptBook book;
  TriedRows rows;
  EXPECT_TRUE(book.Open(Batch(1), 10, Lane::kOldest, "a", 0));
  EXPECT_FALSE(book.OnFlash(Batch(1)));
  book.WriteTo(rows);
  EXPECT_TRUE(book.Writing(Batch(1)));
  EXPECT_EQ(rows[1][0].row, 10u);
  EXPECT_EQ(rows[1][0].destination.text(), "a");
  book.Written(false);
  EXPECT_FALSE(book.OnFlash(Batch(1)));
  book.WriteTo(rows);
  book.Written(true);
  EXPECT_TRUE(book.OnFlash(Batch(1)));
  // Closed and opened again there, flash still says so; elsewhere it does not.
  book.Close(Signal::kLogs, Lane::kOldest);
  EXPECT_TRUE(book.Open(Batch(1), 10, Lane::kOldest, "a", 0));
  EXPECT_TRUE(book.OnFlash(Batch(1)));
  EXPECT_TRUE(book.Open(Batch(1), 10, Lane::kOldest, "b", 0));
  EXPECT_FALSE(book.OnFlash(Batch(1)));
  // One that changes under way is not what was written.
  book.WriteTo(rows);
  EXPECT_TRUE(book.Open(Batch(1), 10, Lane::kOldest, "a", 0));
  book.Written(true);
  EXPECT_FALSE(book.OnFlash(Batch(1)));
  // Written as closed it is not open.
  book.WriteTo(rows);
  book.Written(true);
  book.Close(Signal::kLogs, Lane::kOldest);
  book.WriteTo(rows);
  EXPECT_EQ(rows[1][0].open, 0u);
  book.Written(true);
  EXPECT_TRUE(book.Open(Batch(1), 10, Lane::kOldest, "a", 0));
  EXPECT_FALSE(book.OnFlash(Batch(1)));
}

TEST(AttemptBook, GoesAlongWithABatchThatIsCommitted) {
  AttemptBook book;
  TriedRows rows;
  EXPECT_TRUE(book.Open(Batch(1), 0, Lane::kLive, "a", 0));
  book.WriteTo(rows);
  EXPECT_FALSE(book.Writing(Batch(1)));  // There is nothing that it could be of.
  book.Written(true);
  book.SetRow(Batch(1), 30);
  book.WriteTo(rows);
  EXPECT_EQ(rows[1][kTriedOldest].row, 30u);
  EXPECT_EQ(rows[1][kTriedOldest].open, 1u);
  book.SetRow(Batch(1), 0);  // It had no room,
  book.Written(true);
  EXPECT_FALSE(book.OnFlash(Batch(1)));
  book.SetRow(Batch(1), 44);
  book.WriteTo(rows);
  book.Written(true);
  EXPECT_TRUE(book.OnFlash(Batch(1)));
  book.Forget(Batch(1), 44);
  EXPECT_FALSE(book.OnFlash(Batch(1)));
}

TEST(AttemptBook, WhatAnEarlierProcessLeftStaysOpen) {
  AttemptBook book;
  TriedRows rows{}, found{};
  found[1][0] = {.row = 10, .attempts = 3, .open = 1, .destination = ShortText<32>("a")};
  found[1][2] = {.row = 12, .attempts = 1};
  book.TakeOver(found);
  book.Reopened(found);
  EXPECT_EQ(book.Earlier(Signal::kLogs, 10), "a");
  EXPECT_EQ(book.Earlier(Signal::kLogs, 12), "");
  EXPECT_EQ(book.Earlier(Signal::kMetrics, 10), "");
  EXPECT_EQ(book.Earlier(Signal::kLogs, 0), "");
  EXPECT_TRUE(book.Open(Batch(5), 10, Lane::kOldest, "a", 0));
  EXPECT_TRUE(book.OnFlash(Batch(5)));
  book.Close(Signal::kLogs, Lane::kOldest);  // Of this attempt; the other's nobody knows.
  EXPECT_EQ(book.Earlier(Signal::kLogs, 10), "a");
  book.WriteTo(rows);
  EXPECT_EQ(rows[1][0].open, 1u);
  EXPECT_TRUE(book.Open(Batch(5), 10, Lane::kOldest, "b", 0));
  EXPECT_EQ(book.Earlier(Signal::kLogs, 10), "");
}

TEST(AttemptBook, TheOldestAlwaysHasAPlace) {
  AttemptBook book;
  TriedRows found{};
  for (size_t n = 0; n < kTriedMax; ++n) {
    found[1][n] = {.row = 10 + n, .open = 1, .destination = ShortText<32>("a")};
  }
  book.TakeOver(found);
  // All are open, and may be met yet.
  EXPECT_FALSE(book.Open(Batch(90), 90, Lane::kLive, "a", 9));
  // The oldest is behind some of them: these were dropped.
  EXPECT_TRUE(book.Open(Batch(50), 12, Lane::kOldest, "a", 9));
  EXPECT_TRUE(book.Open(Batch(51), 15, Lane::kOldest, "a", 9));
  EXPECT_EQ(book.Earlier(Signal::kLogs, 13), "a");
  EXPECT_FALSE(book.Open(Batch(90), 90, Lane::kLive, "a", 9));
  EXPECT_TRUE(book.Open(Batch(90), 90, Lane::kLive, "a", 14));  // They are done with.
  // A batch that is gone without a word leaves its place to the next of its lane.
  AttemptBook other;
  for (uint64_t n = 1; n < 20; ++n) EXPECT_TRUE(other.Open(Batch(n), 0, Lane::kOldest, "a", 0)) << n;
}

}  // namespace
}  // namespace limpet
