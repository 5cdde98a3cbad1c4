using System.Text;
using CsCheck;

namespace Aries.Core.Tests;

public sealed class AppendOnlyFileTests : IDisposable
{
    private readonly string _path = Path.Combine(Path.GetTempPath(), "aries-lines-" + Path.GetRandomFileName());

    public void Dispose() => File.Delete(_path);

    // Cut anywhere, the file opens with exactly the lines whose \n lies before the cut.
    [Fact]
    public void Open_FileCutAnywhere_KeepsTheWholeLines() => Gen.Select(Gen.Int[0, 9000].List[1, 4], Gen.Double[0, 1]).Sample((lengths, share) =>
    {
        string content = string.Concat(lengths.Select(length => new string('x', length) + "\n"));
        string cut = content[..(int)(share * content.Length)];
        File.WriteAllText(_path, cut);

        using AppendOnlyFile file = new(_path, new DurableFiles());

        Assert.Equal(cut.Count(unit => unit == '\n'), file.ReadLines().Count);
        Assert.Equal(cut.LastIndexOf('\n') + 1, new FileInfo(_path).Length);
    }, iter: 200, threads: 1);

    [Fact]
    public void Append_AfterATruncation_ContinuesThere()
    {
        using (AppendOnlyFile file = new(_path, new DurableFiles()))
        {
            file.Append("one\ntwo\n"u8.ToArray());
            file.Truncate(file.ReadLines()[0].End);
            file.Append("three\n"u8.ToArray());
            file.Sync();

            Assert.Equal(["one", "three"], file.ReadLines().Select(line => Encoding.UTF8.GetString(line.Line.Span)));
        }

        Assert.Equal("one\nthree\n", File.ReadAllText(_path));
    }
}
