using Aries.OnnxRuntime;
using Aries.OnnxRuntimeGenAI.Tests;
using Aries.TestKit;

[assembly: AssemblyFixture(typeof(GenAIFolders))]

namespace Aries.OnnxRuntimeGenAI.Tests;

/// <summary>Model folders that many tests run, each written once, and folders of single tests.</summary>
public sealed class GenAIFolders : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("aries-genai-");
    private readonly Lazy<string> _stories;
    private readonly Lazy<string> _adaptable;
    private readonly Lazy<string> _quickStart;
    private int _counter;

    public GenAIFolders()
    {
        _stories = new(() => Write(StoriesSource));
        _adaptable = new(() => Write(StoriesSource, new GenAIModelOptions { AdapterTargets = LoraProjections.All }));
        _quickStart = new(() => Write(QuickStartSource));
    }

    public static string StoriesSource { get; } = TestData.Golden("stories260K-hf");

    public static string QuickStartSource { get; } = Path.Combine(TestData.RepositoryRoot, "samples", "QuickStart", "model");

    public static string Adapter { get; } = TestData.Golden("lora");

    public string Stories => _stories.Value;

    /// <summary>Gets the stories model with inputs for adapters of every projection.</summary>
    public string Adaptable => _adaptable.Value;

    public string QuickStart => _quickStart.Value;

    /// <summary>Returns a path that nothing has yet.</summary>
    public string NewPath() => Path.Combine(_directory.FullName, $"{Interlocked.Increment(ref _counter)}");

    /// <summary>Writes a model into a new folder.</summary>
    public string Write(string source, GenAIModelOptions? options = null)
    {
        string folder = NewPath();
        GenAIModelWriter.Write(source, folder, options, TestContext.Current.CancellationToken);
        return folder;
    }

    /// <summary>Copies the files of a folder into a new one.</summary>
    public string CopyOf(string source)
    {
        string target = NewPath();
        Directory.CreateDirectory(target);
        foreach (string file in Directory.GetFiles(source))
        {
            File.WriteAllBytes(Path.Combine(target, Path.GetFileName(file)), File.ReadAllBytes(file));
        }

        return target;
    }

    public void Dispose() => _directory.Delete(recursive: true);
}
