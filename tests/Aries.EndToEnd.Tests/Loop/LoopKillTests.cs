namespace Aries.EndToEnd.Tests;

public sealed class LoopKillTests : IDisposable
{
    private readonly string _root = Path.Combine(Path.GetTempPath(), "aries-kill-" + Path.GetRandomFileName());

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void ToyLoop_KilledAtManyRandomMoments_EndsWithTheFilesOfAnUnbrokenRun() =>
        KillAndCompare(ToyLoop.Kind, ToyLoop.Prepare, leastKillCount: 30, mostEvents: 25);

    [Theory]
    [InlineData(LlamaLoop.FullKind)]
    [InlineData(LlamaLoop.LoraKind)]
    public void LlamaLoop_KilledAtRandomMoments_EndsWithTheFilesOfAnUnbrokenRun(string kind) =>
        KillAndCompare(kind, LlamaLoop.Prepare, leastKillCount: 3, mostEvents: 40);

    private void KillAndCompare(string kind, Action<string> prepare, int leastKillCount, int mostEvents)
    {
        Random random = new(20250207);
        string unbroken = Path.Combine(_root, "unbroken");
        prepare(unbroken);
        Assert.True(LoopProcess.Run(kind, unbroken));
        SortedDictionary<string, string> expected = Snapshot(unbroken);
        Assert.Contains("report.html", expected.Keys);

        int killCount = 0;
        for (int run = 0; killCount < leastKillCount; run++)
        {
            string killed = Path.Combine(_root, $"killed-{run}");
            prepare(killed);
            while (!LoopProcess.Run(kind, killed, random.Next(1, mostEvents), TimeSpan.FromMilliseconds(random.NextDouble() * 3)))
            {
                killCount++;
            }

            Assert.Equal(expected, Snapshot(killed));
        }
    }

    private static SortedDictionary<string, string> Snapshot(string root)
    {
        string folder = Path.Combine(root, "run");
        return new SortedDictionary<string, string>(
            Directory.EnumerateFileSystemEntries(folder, "*", SearchOption.AllDirectories)
                .ToDictionary(path => Path.GetRelativePath(folder, path), path => File.Exists(path) ? Convert.ToHexString(File.ReadAllBytes(path)) : "folder"),
            StringComparer.Ordinal);
    }
}
