namespace Aries.OnnxRuntimeGenAI.Tests;

/// <summary>A test on the fake library, which is asserted to be clean at the end.</summary>
/// <remarks>Classes that derive from it are in the collection <see cref="Name"/>: there is one fake library at a time. Those of the real library are too, for the models that are loaded are counted.</remarks>
[Collection(Name)]
public abstract class FakeLibraryTests : IDisposable
{
    public const string Name = "native library";

    protected FakeLibraryTests(GenAIFolders folders)
    {
        Folders = folders;
        Library = new FakeLibrary();
    }

    protected GenAIFolders Folders { get; }

    internal FakeLibrary Library { get; }

    /// <summary>Loads the stories model.</summary>
    protected GenAIPolicyModel LoadStories(GenAIPolicyOptions? options = null) => Load(Folders.Stories, GenAIFolders.StoriesSource, options);

    /// <summary>Loads a model of given weights.</summary>
    protected GenAIPolicyModel Load(string folder, string source, GenAIPolicyOptions? options = null)
    {
        Library.Serve(folder, source);
        return GenAIPolicyModel.Load(_ => Library.Api, folder, options);
    }

    public void Dispose()
    {
        try
        {
            Library.AssertClean();
            Assert.Equal(0, GenAIRuntime.ModelCount);
        }
        finally
        {
            Library.Dispose();
        }
    }
}
