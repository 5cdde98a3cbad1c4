using Aries.TestKit;

namespace Aries.LocalModels.Tests;

public class AtomicOutputTests
{
    // A killed process may have had this one's id, and left what it wrote aside under the very name that is used next.
    // The names count up with every write of the process: those of the next ones, other tests' included, are taken here.
    [Fact]
    public void Write_LeftoverOfAKilledProcessUnderTheNextName_IsOverwritten()
    {
        using TempFolder folder = new();
        string last = "";
        AtomicOutput.WriteFile(folder.At("probe"), stream => last = stream.Name);
        string stem = last[(last.LastIndexOf(".tmp-", StringComparison.Ordinal))..];
        (string process, int counter) = (stem[..(stem.LastIndexOf('-') + 1)], int.Parse(stem[(stem.LastIndexOf('-') + 1)..], System.Globalization.CultureInfo.InvariantCulture));
        for (int next = counter + 1; next <= counter + 500; next++)
        {
            File.WriteAllText(folder.At($"file{process}{next}"), "half-written, and longer than what follows");
            Directory.CreateDirectory(folder.At($"folder{process}{next}"));
            File.WriteAllText(folder.At($"folder{process}{next}", "rubbish"), "half");
        }

        AtomicOutput.WriteFile(folder.At("file"), stream => stream.Write("whole"u8));
        AtomicOutput.WriteFolder(folder.At("folder"), aside => File.WriteAllText(Path.Combine(aside, "a"), "whole"));

        Assert.Equal("whole", File.ReadAllText(folder.At("file")));
        Assert.Equal([folder.At("folder", "a")], Directory.GetFileSystemEntries(folder.At("folder")));
    }

    [Fact]
    public void CheckFolder_FoldersAboveAreMissing_LeavesNothing()
    {
        using TempFolder folder = new();

        AtomicOutput.CheckFolder(folder.At("a", "b", "c"));

        Assert.Empty(Directory.GetFileSystemEntries(folder.Path));
    }
}
