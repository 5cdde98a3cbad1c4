namespace Aries.OnnxRuntimeGenAI;

/// <summary>An adapter in the native library, with the file that it is read from.</summary>
/// <threadsafety>One call at a time.</threadsafety>
internal sealed class LoadedAdapter : IDisposable
{
    private readonly DirectoryInfo _directory;

    private LoadedAdapter(OgaAdapter adapter, DirectoryInfo directory) => (Adapter, _directory) = (adapter, directory);

    public OgaAdapter Adapter { get; }

    /// <summary>Writes a PEFT adapter in the native library's format, and loads it.</summary>
    /// <remarks>The names and shapes of its matrices are compared with the graph's inputs here: the native library finds out in the middle of a pass.</remarks>
    /// <exception cref="ModelFormatException">The adapter is damaged or of another model, or the graph takes none.</exception>
    /// <exception cref="OgaException">The native library refuses it.</exception>
    public static LoadedAdapter Load(OgaModel model, string folder)
    {
        // The native library reads the file when it needs it, so it stays until the adapter goes.
        DirectoryInfo directory = Directory.CreateTempSubdirectory("aries-adapter-");
        try
        {
            string file = Path.Combine(directory.FullName, "adapter.onnx_adapter");
            OnnxAdapterWriter.Write(folder, model.Folder.Path, file);
            return new LoadedAdapter(new OgaAdapter(model, file), directory);
        }
        catch
        {
            directory.Delete(recursive: true);
            throw;
        }
    }

    public void Dispose()
    {
        Adapter.Dispose();
        _directory.Delete(recursive: true);
    }
}
