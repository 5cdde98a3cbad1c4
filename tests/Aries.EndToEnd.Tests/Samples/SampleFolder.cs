namespace Aries.EndToEnd.Tests;

/// <summary>A folder for what a sample writes, gone after the test.</summary>
internal sealed class SampleFolder : IDisposable
{
    private readonly string _path = Directory.CreateTempSubdirectory("aries-sample-").FullName;

    public string File(params string[] parts) => Path.Combine([_path, .. parts]);

    public void Dispose() => Directory.Delete(_path, recursive: true);
}
