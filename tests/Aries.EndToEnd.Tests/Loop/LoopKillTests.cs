using Aries.TestKit;

namespace Aries.EndToEnd.Tests;

public sealed class LoopKillTests : IDisposable
{
    private const int LeastKillCount = 30;

    private readonly string _root = Path.Combine(Path.GetTempPath(), "aries-kill-" + Path.GetRandomFileName());

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void Loop_KilledAtManyRandomMoments_EndsWithTheFilesOfAnUnbrokenRun()
    {
        Random random = new(20250207);
        string unbroken = Path.Combine(_root, "unbroken");
        ToyLoop.Prepare(unbroken);
        Assert.True(LoopProcess.Run(ToyLoop.Kind, unbroken));
        SortedDictionary<string, string> expected = Snapshot(unbroken);
        Assert.Contains("report.html", expected.Keys);

        int killCount = 0;
        for (int run = 0; killCount < LeastKillCount; run++)
        {
            string killed = Path.Combine(_root, $"killed-{run}");
            ToyLoop.Prepare(killed);
            while (!LoopProcess.Run(ToyLoop.Kind, killed, random.Next(1, 25), TimeSpan.FromMilliseconds(random.NextDouble() * 3)))
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
            Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).ToDictionary(path => Path.GetRelativePath(folder, path), path => Convert.ToHexString(File.ReadAllBytes(path))),
            StringComparer.Ordinal);
    }
}
