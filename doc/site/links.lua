-- SPDX-License-Identifier: MIT
-- links.lua -- a pandoc filter: links to documents become links to their pages, and so do the names of
-- documents in the text.

local root = "" -- leads from the page to the first folder

local function page_of(target)
  local path, anchor = target:match("^([^#]*)(#?.*)$")
  if path == "" or path:match("^%a+:") or path:match("%.svg$") or path:match("%.html$") then
    return target
  end
  if path:match("README%.md$") then
    return path:gsub("README%.md$", "index.html") .. anchor
  end
  if path:match("%.md$") then
    return path:gsub("%.md$", ".html") .. anchor
  end
  if path:match("%.%d$") then
    return path .. ".html" .. anchor
  end
  -- a file of plain text, whose page is in the first folder
  return root .. path:match("[^/]*$") .. ".html" .. anchor
end

local function remember(meta)
  root = pandoc.utils.stringify(meta.root or "")
end

local function change_link(link)
  link.target = page_of(link.target)
  return link
end

local function find_name(text)
  local before, name, after = text.text:match("^(%(?)doc/([%w-]+)%.md(.*)$")
  if name == nil then
    return nil
  end
  local link = pandoc.Link("doc/" .. name .. ".md", root .. "doc/" .. name .. ".html")
  return { pandoc.Str(before), link, pandoc.Str(after) }
end

return { { Meta = remember }, { Link = change_link }, { Str = find_name } }
