namespace Aries.OnnxRuntimeGenAI;

/// <summary>The native library of the process.</summary>
/// <threadsafety>Every member may be called concurrently.</threadsafety>
public static class GenAIRuntime
{
    private static readonly Lock Counting = new();
    private static int _modelCount;

    /// <summary>Gets how many models are loaded and not disposed.</summary>
    public static int ModelCount => _modelCount;

    /// <summary>Lets the native library give back what it keeps for the whole process, such as a GPU's arena. A model may be loaded again afterwards.</summary>
    /// <remarks>Nobody has to call it: a process that ends gives everything back. Libraries before 0.12 may not survive a later load.</remarks>
    /// <exception cref="InvalidOperationException">A model is not disposed.</exception>
    public static unsafe void Shutdown()
    {
        lock (Counting)
        {
            if (_modelCount > 0)
            {
                throw new InvalidOperationException($"{_modelCount} models are loaded, and what they use would be gone under them. Dispose them first.");
            }

            OgaApi? api = NativeLibraries.Loaded();
            if (api is not null)
            {
                api.Shutdown();
            }
        }
    }

    /// <summary>Counts a model in before it is loaded, and out again when its load failed or it is gone.</summary>
    internal static void Count(int change)
    {
        lock (Counting)
        {
            _modelCount += change;
        }
    }
}
