namespace Aries.OnnxRuntimeGenAI;

/// <summary>An adapter in the native library, with the file that it is read from.</summary>
/// <threadsafety>One call at a time.</threadsafety>
internal sealed class LoadedAdapter : IDisposable
{
    private readonly string? _temporaryFile;

    private LoadedAdapter(OgaAdapter adapter, string? temporaryFile) => (Adapter, _temporaryFile) = (adapter, temporaryFile);

    public OgaAdapter Adapter { get; }

    public static LoadedAdapter Load(OgaModel model, string path) => throw new NotSupportedException(path);

    public void Dispose()
    {
        Adapter.Dispose();
        if (_temporaryFile is not null)
        {
            File.Delete(_temporaryFile);
        }
    }
}
