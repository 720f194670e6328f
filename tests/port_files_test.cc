// LinuxFiles where it reads what has no offsets: a FIFO, and the kernel's log.
#include "port/linux/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <gtest/gtest.h>
#include <string>

#include "logs/kmsg_record.h"
#include "logs/kmsg_source.h"

namespace limpet {
namespace {

TEST(LinuxFiles, ReadsOnInAFifo) {
  char folder[] = "/tmp/limpet-files-XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  const std::string path = std::string(folder) + "/fifo";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  LinuxFiles files;
  const Result<int> file = files.Open(path);
  ASSERT_TRUE(file.ok());
  char buffer[4];
  EXPECT_EQ(files.Read(file.value(), buffer).value(), 0u);  // Nobody has it open to write.
  const int writer = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  ASSERT_GE(writer, 0);
  EXPECT_EQ(files.Read(file.value(), buffer).status().code, Code::kUnavailable);
  ASSERT_EQ(write(writer, "sixsix", 6), 6);
  EXPECT_EQ(files.Read(file.value(), buffer).value(), 4u);
  EXPECT_EQ(files.Read(file.value(), buffer).value(), 2u);
  EXPECT_EQ(files.Read(file.value(), buffer).status().code, Code::kUnavailable);
  close(writer);
  files.Close(file.value());
  unlink(path.c_str());
  rmdir(folder);
}

TEST(LinuxFiles, ReadsTheKernelsLog) {
  LinuxFiles files;
  const Result<int> device = files.Open(KmsgSource::kPath);
  if (!device.ok()) GTEST_SKIP() << "no " << KmsgSource::kPath << " to read here";
  char small[16], buffer[KmsgSource::kRecordBytes];
  const Result<size_t> first = files.Read(device.value(), small);
  if (first.status().code == Code::kUnavailable) GTEST_SKIP() << "the kernel has said nothing";
  EXPECT_EQ(first.status().code, Code::kInvalid);  // It does not fit.
  uint64_t records = 0, lost = 0, next = 0;
  Result<size_t> got = files.Read(device.value(), buffer);
  for (; records < 1'000'000 && (got.ok() || got.status().code == Code::kNotFound);
       got = files.Read(device.value(), buffer)) {
    if (!got.ok()) continue;
    const Result<KmsgRecord> record = ParseKmsg({buffer, got.value()});
    ASSERT_TRUE(record.ok()) << std::string(buffer, got.value());
    ASSERT_TRUE(next == 0 || record.value().sequence >= next);
    if (next != 0) lost += record.value().sequence - next;
    next = record.value().sequence + 1;
    ++records;
  }
  EXPECT_EQ(got.status().code, Code::kUnavailable);
  EXPECT_LE(lost, records);  // Only while somebody writes a lot.
  files.Close(device.value());
}

}  // namespace
}  // namespace limpet
