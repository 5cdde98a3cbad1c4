namespace Aries.OnnxRuntimeGenAI;

/// <summary>A LoRA adapter that generators of one model may take.</summary>
/// <threadsafety>One call at a time.</threadsafety>
internal sealed unsafe class OgaAdapter : IDisposable
{
    private readonly OgaApi _api;
    private readonly OgaHandle _adapters;

    /// <summary>Loads an adapter.</summary>
    /// <param name="model">The model; its graph has the inputs.</param>
    /// <param name="path">The file; it stays where it is until the adapter is disposed.</param>
    /// <exception cref="OgaException">The file is damaged.</exception>
    public OgaAdapter(OgaModel model, string path)
    {
        _api = model.Api;
        nint pointer;
        _api.Check(_api.CreateAdapters(model.Handle.Pointer, &pointer));
        _adapters = new OgaHandle(pointer, _api.DestroyAdapters, model.Handle);
        try
        {
            fixed (byte* file = Utf8Text.Terminated(path), name = Name)
            {
                _api.Check(_api.LoadAdapter(_adapters.Pointer, file, name));
            }
        }
        catch
        {
            _adapters.Dispose();
            throw;
        }
    }

    public OgaHandle Handle => _adapters;

    // One adapter a model: its name says nothing.
    private static ReadOnlySpan<byte> Name => "aries"u8;

    /// <summary>Sets the adapter active in a generator that has read nothing and has no adapter: a second one would be added to the first.</summary>
    public void Activate(OgaHandle generator)
    {
        fixed (byte* name = Name)
        {
            _api.Check(_api.SetActiveAdapter(generator.Pointer, _adapters.Pointer, name));
        }
    }

    public void Dispose() => _adapters.Dispose();
}
